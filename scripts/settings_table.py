"""The README's table of settings, made of `common.settings`: `python -m scripts.settings_table` writes it anew."""

from common.settings import ROOT, Settings

README = ROOT / "README.md"
BEGIN, END = "<!-- written by `python -m scripts.settings_table` -->\n\n", "\n\n<!-- end of the table of settings -->"


def make_table() -> str:
    """A row a setting: its name in the environment, its default, its meaning."""
    rows = [
        f"| `{field.alias}` | {_show_default(field.default)} | {field.description} |"
        for field in Settings.model_fields.values()
    ]
    return "\n".join(["| name | default | meaning |", "| --- | --- | --- |", *rows])


def renew_table(document: str) -> str:
    """A document with the table of now between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{make_table()}{END}{after}"


def _show_default(default: object) -> str:
    if default is None or default is False or default == "":
        return "–"
    return f"`{str(default).removeprefix(f'{ROOT}/')}`"


if __name__ == "__main__":
    README.write_text(renew_table(README.read_text(encoding="utf-8")), encoding="utf-8")
