"""A machine with UEFI and an NVMe disk, on what looks like EC2; and with little memory."""

import datetime
import time

import machines


def test_it_serves(uefi):
    machines.serves(uefi)


# Which a client takes for this certificate alone.
def test_it_has_the_certificate_of_a_credential(uefi):
    machines.serves(uefi, "https")


def test_its_firmware_is_uefi(uefi):
    assert machines.facts(uefi)["firmware"] == ["uefi"]


def test_its_configuration_came_from_the_metadata_service(uefi):
    uefi.wait_for(r"configuration found source=metadata")
    uefi.wait_for(r"configuration in force alb=metadata")


def test_the_metadata_are_for_the_fetcher_alone(uefi):
    """Root asked, and was refused by the machine itself: the service would have answered him 401."""
    said = machines.facts(uefi)["metadata"][0]
    assert "refused" in said.lower() or "not permitted" in said.lower(), said


def test_its_clock_is_set_by_the_clouds(uefi):
    """It began an hour late."""
    uefi.wait_for(r"Contacted time server 169\.254\.169\.123:123")
    told = uefi.wait_for(r"Initial clock synchronization to \w+ ([\d-]+ [\d:]+)\.\d+ UTC")[1]
    at = datetime.datetime.strptime(told + "+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()
    assert 0 <= time.time() - at < 3000 and uefi.clock.asked > 0


def test_256_mb_are_enough(uefi):
    assert int(machines.facts(uefi)["available_kb"][0]) > 64 * 1024


def test_no_unit_has_failed(uefi):
    assert "failed" not in machines.facts(uefi)


def test_each_machine_has_an_identity_of_its_own(bios, uefi):
    assert machines.facts(bios)["machine_id"] != machines.facts(uefi)["machine_id"]
