"""Where the fabric listens: other ports, other addresses, and places that somebody else has."""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest

from controller.events import Kind
from controller.hypervisors import listeners
from controller.topology import Standing
from data.errors import ApplyFailed
from tests.system.site import Site, free_port, network


async def test_new_ports_of_the_controller_are_listened_on_and_hypervisors_follow(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    port = free_port()
    moved = msgspec.structs.replace(site.settings, openflow_port=port)
    await site.commit({("controller",): moved})
    await site.until(lambda: f":{port}" in site.switches["hv1"].vsctl("get-controller", "br-nsh"), "it is told")
    await site.ready("hv1")


async def test_a_port_that_is_taken_fails_the_commit_and_the_old_listeners_stay(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        moved = msgspec.structs.replace(site.settings, openflow_port=other.getsockname()[1])
        with pytest.raises(ApplyFailed, match="in use"):
            await site.commit({("controller",): moved})
    assert site.state("hv1") is Standing.READY
    assert site.fabric.running.get(("controller",)) == site.settings


async def test_another_address_with_the_same_ports_is_listened_on_and_connections_stay(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    peers = [site.fabric.network.channels["hv1"].switch]
    everywhere = msgspec.structs.replace(site.settings, listen_address="0.0.0.0")
    await site.commit({("controller",): everywhere})
    peers.append(site.fabric.network.channels["hv1"].switch)
    assert peers[0] is peers[1] is not None and site.state("hv1") is Standing.READY
    for port in (site.settings.openflow_port, site.settings.ovsdb_port, site.settings.agent_port):
        with socket.create_connection(("127.0.0.2", port), timeout=2):
            pass
    swapped = msgspec.structs.replace(
        everywhere, openflow_port=site.settings.ovsdb_port, ovsdb_port=site.settings.openflow_port
    )
    await site.commit({("controller",): swapped})
    await site.vsctl("hv1", "set", "Manager", ".", f'target="tcp:127.0.0.1:{swapped.ovsdb_port}"')
    await site.ready("hv1")
    assert f":{swapped.openflow_port}" in await site.vsctl("hv1", "get-controller", "br-nsh")


async def test_an_address_that_is_taken_at_one_port_puts_all_listeners_back(site: Site) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.2", site.settings.agent_port))
        other.listen()
        everywhere = msgspec.structs.replace(site.settings, listen_address="0.0.0.0")
        with pytest.raises(ApplyFailed, match=r"agent-port: cannot listen on 0.0.0.0:.*in use"):
            await site.commit({("controller",): everywhere})
        for port in (site.settings.openflow_port, site.settings.ovsdb_port, site.settings.agent_port):
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", site.settings.ovsdb_port), timeout=2)
    await site.commit({("controller",): everywhere})


async def test_a_port_that_is_taken_at_start_is_told_and_listened_on_when_it_is_free_or_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "RETRY", 0.1)
    await site.commit(network(1))
    await site.stop()
    with socket.socket() as other, socket.socket() as another:
        for taken, port in ((other, site.settings.ovsdb_port), (another, site.settings.openflow_port)):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
        await site.start()
        told = site.told(Kind.FAULT)
        assert [text.split(":")[0] for text in told] == ["controller openflow-port", "controller ovsdb-port"]
        assert all("address already in use; choose another address or port" in text for text in told)
        port = free_port()
        await site.commit({("controller",): msgspec.structs.replace(site.settings, openflow_port=port)})
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass
        await asyncio.sleep(0.3)
        assert site.told(Kind.FAULT) == told, "told once, however often it is tried"
        other.close()
        await site.until(lambda: any("at last" in text for text in site.told(Kind.HYPERVISOR)), "it is listened on")
    await site.hypervisor("hv1")
    await site.ready("hv1")


async def test_a_probe_interval_takes_effect_without_a_new_connection(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    switch = site.fabric.network.channels["hv1"].switch
    await site.commit({("controller",): msgspec.structs.replace(site.settings, probe_interval=2)})
    await site.until(lambda: "2000" in site.switches["hv1"].vsctl("get", "Controller", ".", "inactivity_probe"), "told")
    assert site.fabric.network.channels["hv1"].switch is switch and switch.probe_interval == 2.0
