"""Parts of report.html, a page with embedded pictures and without scripts, which needs no other file and no network."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

CSS = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5b6675; --line: #e3e6eb; --tint: #f6f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1.1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; }
p, figcaption { color: var(--soft); margin: .3rem 0 .8rem; }
.notice { background: #fff4e0; border-left: 4px solid #e69f00; color: var(--ink); padding: .6rem .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; }
.card { background: var(--tint); border-radius: .5rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.7rem; line-height: 1.2; color: var(--accent); }
.card span { color: var(--soft); font-size: .87rem; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .94rem; }
th, td { text-align: left; padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.pictures { display: flex; flex-wrap: wrap; gap: 0 1.5rem; align-items: flex-start; }
figure { margin: 1.2rem 0 1rem; max-width: 100%; }
figcaption { width: min-content; min-width: 100%; }
figure img { max-width: 100%; height: auto; display: block; }
figure .scroll.wide img { min-width: 36rem; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--tint); padding: .7rem .9rem; border-radius: .5rem; overflow-x: auto; font-size: .82rem; }
"""


def write(file: Path, title: str, parts: Sequence[str]) -> None:
    """Write the page; parts are results of the functions below."""
    file.write_text(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n",
        encoding="utf-8",
    )


def heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """kind: a CSS class, such as notice."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def cards(items: Sequence[tuple[str, str, str]]) -> str:
    """Large numbers; each item is (name, number, note)."""
    boxes = [
        '<div class="card"><span>{}</span><b>{}</b><span>{}</span></div>'.format(*map(html.escape, item))
        for item in items
    ]
    return f'<div class="cards">{"".join(boxes)}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways on a narrow screen."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def markdown(text: str) -> str:
    """HTML of the Markdown that commands.ablations writes: a table, paragraphs, and lines of a list."""
    parts, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            parts.append(table(rows[0], rows[2:]))  # the second line underlines the header
            rows = []
        if line.strip():
            parts.append(heading(line.lstrip("# ")) if line.startswith("#") else paragraph(line))
    return "\n".join(parts)


def pictures(files: Mapping[Path, str]) -> str:
    """Embedded pictures, side by side if the screen is wide enough; files: PNG -> caption."""
    return f'<div class="pictures">{"".join(_picture(file, caption) for file, caption in files.items())}</div>'


def _picture(file: Path, caption: str) -> str:
    """One embedded picture; a wide one scrolls on a phone and stays readable."""
    content = file.read_bytes()
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))  # PNG's header
    wide = " wide" if width > 1.6 * height else ""
    data = base64.b64encode(content).decode("ascii")
    caption = html.escape(caption)
    # Drawn at 120 dots per inch, shown at 84: sharp on a phone, two side by side on a laptop.
    size = f'width="{width * 7 // 10}" height="{height * 7 // 10}"'
    image = f'<img alt="{caption}" {size} src="data:image/png;base64,{data}">'
    return f'<figure><div class="scroll{wide}">{image}</div><figcaption>{caption}</figcaption></figure>'


def folded(sections: Mapping[str, str]) -> str:
    """Collapsed texts; sections: title -> text."""
    return "\n".join(
        f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
        for name, text in sections.items()
    )
