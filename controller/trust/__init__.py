"""Trust between the controller and its hypervisors: TLS for everything that does not stay on this machine.

    dial in ──> door.py ──loopback or unix socket──────────────────────────────> the protocol, in the clear
                   └──any other──> TLS ──> office.py: is this serial good? ──yes──> the protocol, with a Credential

A hypervisor's certificate names its system-id. Each protocol holds what it is told against that name: OVSDB the
system-id in the database, OpenFlow the datapath id that the same name's database was given, agents their hello.

Read next::

    door.py       who is let in, and as whom
    refused.py    who is not let in, in words; a flood of them is counted
    office.py     Trust: join tokens, certificates, renewal, revocation
    authority.py  the key that signs; the only module that needs `cryptography`, imported when it is used
    tokens.py     what a join token is
"""
