"""Where .dvc/page.html comes from: the page of `dvc plots`, with the libraries that DVC would load from the network.

`python tools/plots_page.py --write` writes it from the packages on npm, unchanged (needs npm and a network).
"""

import argparse
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / ".dvc" / "page.html"
# The versions that dvc_render names in its own page, with the SHA-256 of their build/<name>.min.js.
LIBRARIES = {
    "vega": ("5.20.2", "4794d0169cb1f3eb"),
    "vega-lite": ("5.2.0", "d73157451b397801"),
    "vega-embed": ("6.18.2", "1ba9826431ddc980"),
}
# DVC fills in refresh_tag and plot_divs. It would put its links into {scripts}, which is therefore not there.
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; color: #1c2430; margin: 1.2rem; }
body > div { margin-bottom: 2rem; overflow-x: auto; }
table { border-spacing: 15px; }
img { max-width: 100%; height: auto; }
</style>
"""
TAIL = "</head>\n<body>\n{plot_divs}\n</body>\n</html>\n"


def library(name: str) -> tuple[str, str]:
    """The licence and the minified script of a library, from npm."""
    version, digest = LIBRARIES[name]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True)
        with tarfile.open(Path(folder) / f"{name}-{version}.tgz") as package:
            licence = package.extractfile("package/LICENSE").read().decode()
            script = package.extractfile(f"package/build/{name}.min.js").read()
    assert hashlib.sha256(script).hexdigest().startswith(digest), f"{name} {version} is not the file that it was"
    return licence, script.decode()


def page() -> str:
    parts = []
    for name, (version, _) in LIBRARIES.items():
        licence, script = library(name)
        # A browser that looks for the map of a script would ask for a file that is not there.
        script = script.rsplit("//# sourceMappingURL", 1)[0].rstrip()
        parts.append(f"<!-- {name} {version}\n{licence.strip()}\n-->\n<script>{script}</script>\n")
    return HEAD + "".join(parts) + TAIL


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="write .dvc/page.html")
    parser.parse_args()
    PAGE.write_text(page(), encoding="utf-8")
