# umbrella: the same prefixes as acme, even the same addresses and MAC addresses; no policy, so everything inside is
# allowed. It has no vport on hv3.
set enterprise umbrella domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise umbrella domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise umbrella domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise umbrella domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise umbrella domain prod vport app-3 subnet app1 mac 02:00:0a:01:02:0d address 10.1.2.13
commit comment "umbrella: the same prefixes"
