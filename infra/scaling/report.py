"""`make simulate`: runs three days, draws each for a light and for a dark page, and writes `docs/scaling-days.md`.

The figures are the same at each run (a fixed seed), so a changed policy shows as a changed file.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from infra.cost.prices import price
from infra.scaling.simulate import Day, Loss, Scenario, mean_hosts, settled_after, simulate
from infra.scaling.traffic import DAY, Spike, Traffic

DOCS = Path(__file__).parents[2] / "docs"
NOON, EVENING = 12 * 3600.0, 20 * 3600.0

DAYS = {
    "An ordinary day": (Scenario("ordinary"), 0.0),
    "Ten times the traffic for half an hour at noon": (
        Scenario("spike", Traffic(spikes=(Spike(NOON, 1800.0, 10.0),))),
        NOON,
    ),
    "Half of the Spot hosts taken away at the busiest hour, none to be had for half an hour": (
        Scenario("half", losses=(Loss(EVENING, 0.5, 1800.0),)),
        EVENING,
    ),
    "The same spike, followed by the backlog alone": (
        Scenario("backlog", Traffic(spikes=(Spike(NOON, 1800.0, 10.0),)), headroom=False),
        NOON,
    ),
}

_SKINS = {
    "light": {"ink": "#24292f", "grid": "#d0d7de", "lines": ("#0550ae", "#953800", "#116329")},
    "dark": {"ink": "#e6edf3", "grid": "#3d444d", "lines": ("#79c0ff", "#ffa657", "#7ee787")},
}


def dollars(day: Day) -> list[float]:
    """What all fleets have cost by the end of each minute, in US dollars."""
    total, found = 0.0, []
    for minute in day.minutes:
        total += minute.processors_spot * price("processor_spot_hour") / 60
        total += minute.processors_on_demand * price("processor_hour") / 60
        total += (minute.uploads * price("upload_hour") + minute.web * price("web_hour")) / 60
        found.append(total)
    return found


def draw(day: Day, skin: str, target: Path) -> None:
    """An SVG of three rows over the hours: machines by fleet, age of the oldest file that waits, dollars so far."""
    look: dict[str, Any] = _SKINS[skin]
    hours = [(index + 1) / 60 for index in range(len(day.minutes))]
    processors = [minute.processors_spot + minute.processors_on_demand for minute in day.minutes]
    rows: tuple[tuple[str, list[tuple[str, list[float]]]], ...] = (
        (
            "machines",
            [
                ("processors", [float(number) for number in processors]),
                ("uploads", [float(minute.uploads) for minute in day.minutes]),
                ("web", [float(minute.web) for minute in day.minutes]),
            ],
        ),
        ("oldest waits, s", [("", [minute.age for minute in day.minutes])]),
        ("US dollars", [("", dollars(day))]),
    )
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (label, lines) in zip(figure.subplots(len(rows), 1, sharex=True), rows, strict=True):
        for (name, values), colour, style in zip(lines, look["lines"], ("-", "--", ":"), strict=False):
            axes.plot(hours, values, color=colour, linestyle=style, linewidth=1.4, label=name)
        axes.set_ylabel(label, color=look["ink"])
        axes.set_facecolor("none")
        axes.grid(color=look["grid"], linewidth=0.6)
        axes.tick_params(colors=look["ink"])
        axes.set_ylim(bottom=0)
        for spine in axes.spines.values():
            spine.set_color(look["grid"])
        if len(lines) > 1:
            axes.legend(labelcolor=look["ink"], frameon=False, ncols=len(lines), loc="upper left")
    axes.set_xlim(0, DAY / 3600)
    axes.set_xticks(range(0, 25, 3))
    axes.set_xlabel("hour of the day", color=look["ink"])
    with mpl.rc_context({"svg.hashsalt": "vitrine", "svg.fonttype": "none"}):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})


def _settled(day: Day, since: float) -> str:
    # Without an event there is nothing to be settled after.
    return f"{settled_after(day, since) / 60:.0f} min" if since else "-"


def main() -> None:
    pictures = DOCS / "scaling"
    pictures.mkdir(exist_ok=True)
    rows, parts = [], []
    for title, (scenario, since) in DAYS.items():
        day = simulate(scenario)
        for skin in _SKINS:
            draw(day, skin, pictures / f"{scenario.name}-{skin}.svg")
        waits = sorted(day.waits)
        rows.append(
            f"| {title} | {day.arrived:,} | {waits[len(waits) // 2]:.0f} s | {waits[len(waits) * 99 // 100]:.0f} s "
            f"| {max(minute.age for minute in day.minutes):.0f} s | {_settled(day, since)} "
            f"| {mean_hosts(day):.1f} | {day.returned} | ${dollars(day)[-1]:.2f} |"
        )
        parts.append(
            f"## {title}\n"
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="scaling/{scenario.name}-dark.svg">'
            f'<img src="scaling/{scenario.name}-light.svg" alt="{title}: machines, age of the oldest file that waits, '
            f'cost, by hour"></picture>\n'
        )
    head = (
        "# Four simulated days\n"
        "Written by `make simulate`; [scaling.md](scaling.md) says what is simulated and what is assumed.\n\n"
        "| day | files | median wait | 99 % | longest queue age | last above 2 min, after the event "
        "| processors, mean | jobs begun twice | cost |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    (DOCS / "scaling-days.md").write_text(head + "\n".join(rows) + "\n\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
