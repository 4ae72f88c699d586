"""NAPALM's own tests of a driver's getters, against recorded answers of a router."""

from __future__ import annotations

import pytest
from napalm.base.test import conftest as napalm_conftest
from napalm.base.test.getters import BaseTestGetters

from controller.pe.frr import FrrDriver
from tests.unit.pe.frr.recorded import PatchedFrrDriver


@pytest.fixture(scope="class")
def set_device_parameters(request: pytest.FixtureRequest) -> None:
    request.cls.driver = FrrDriver
    request.cls.patched_driver = PatchedFrrDriver
    napalm_conftest.set_device_parameters(request)


@pytest.mark.usefixtures("set_device_parameters")
class TestGetters(BaseTestGetters):  # type: ignore[misc]
    """Those of FRR; what FRR has no answer for is below."""


NOT_OF_FRR = (
    "get_firewall_policies", "get_lldp_neighbors", "get_lldp_neighbors_detail", "get_ntp_peers", "get_ntp_servers",
    "get_ntp_stats", "get_optics", "get_probes_config", "get_probes_results", "get_snmp_information", "get_users",
    "get_vlans",
)  # fmt: skip
for name in NOT_OF_FRR:
    setattr(TestGetters, f"test_{name}", None)


@pytest.mark.parametrize("name", NOT_OF_FRR)
def test_what_frr_knows_nothing_of_is_said_to_be_not_implemented(name: str) -> None:
    driver = PatchedFrrDriver("test", "", "")
    driver.open()
    with pytest.raises(NotImplementedError):
        getattr(driver, name)()
