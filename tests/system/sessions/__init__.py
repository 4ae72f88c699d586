"""People and programs that log in: OpenSSH, netmiko and scrapli, rights, two at once, the service under systemd."""
