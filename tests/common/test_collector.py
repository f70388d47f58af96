"""The collector is paused inside, and runs again afterwards, whatever happens, if it ran before."""

import gc

import pytest
from relucid.common.collector import no_collection


def test_paused_inside_and_as_it_was_afterwards() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError), no_collection():
        assert not gc.isenabled()
        with no_collection():
            pass
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()
