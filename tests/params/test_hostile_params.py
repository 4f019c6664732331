"""Whatever params.yaml holds ends as a config or one ValueError."""

import copy

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_toys import settings as settings_of

from avemotion.system import params_file
from stages import manifest

LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 30), st.floats(), st.text(max_size=5), st.just([]), st.just({})),
    st.lists(st.one_of(st.integers(0, 30), st.text(max_size=3), st.floats()), max_size=4),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def test_params(tmp_path):
    file, places = tmp_path / "params.yaml", []

    def collect(section: dict, path: tuple) -> None:
        for name, value in section.items():
            places.append((*path, name))
            if isinstance(value, dict):
                collect(value, (*path, name))

    collect(settings_of(), ())

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(places), LEAVES)
    def check(place: tuple, value: object) -> None:
        made = copy.deepcopy(settings_of())
        section = made
        for name in place[:-1]:
            section = section[name]
        section[place[-1]] = value
        file.unlink(missing_ok=True)
        file.write_text(yaml.safe_dump(made), encoding="utf-8")
        params_file._parse.cache_clear()
        try:
            manifest.configure(file)
        except ValueError as error:
            assert place[0] in str(error)

    check()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(content=st.binary(max_size=200))
def test_params_that_are_no_yaml(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    params_file._parse.cache_clear()
    with pytest.raises(ValueError, match=r"any\.yaml"):
        manifest.configure(file)
