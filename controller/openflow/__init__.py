"""OpenFlow 1.4 towards Open vSwitch: the switch dials in, the controller describes, packs, sends and reads
back flows.

Why a codec of our own: os-ken serialises 12,000 flow-mods a second, a template compiled to one
``struct.Struct`` 2,900,000, and both give the same bytes (the tests compare them element by element).

Read next, in this order::

    wire.py        numbers of the protocol, headers, the table of match fields
    match.py       match elements          \\
    actions.py     action elements          > what the compiler writes flows with
    packed.py      Template, flow(), keys  /
    meters.py      rate limits that flows name
    messages.py    flow-mods and meter-mods alike: key, removal, phase of a change
    text.py        a flow or meter as one line for people; action_text.py, field_text.py
    errors.py      error messages as text, the exceptions of this package
    hello.py       which version to speak
    connection.py  Switch: one connection, requests and events; requests.py, probing.py
    packets.py     what a flow sent to the controller, what the controller sends out
    bundle.py      Bundle: all or nothing; order.py, the order that costs the switch least
    readback.py    flows and monitor events by walking headers
    server.py      OpenFlowServer: listener, limits, handshake
"""
