// The album page: wires grid, selection, order, details, progress and uploads together.
import { Arranger, type Direction } from "./arrange";
import { Deeds } from "./deeds";
import { Details } from "./details";
import { Grid } from "./grid";
import { Live } from "./live";
import { slide } from "./window";
import { say } from "../words";

export function openAlbum(): void {
  const root = document.getElementById("album")!;
  const grid = new Grid(document.getElementById("tiles") as HTMLUListElement, Number(root.dataset["total"]));
  const live = new Live(root, grid);
  const deeds = new Deeds(root.dataset["base"]!, grid, live);
  new Details(grid, deeds);
  slide(root, grid);
  if (root.dataset["edits"] === undefined) return;
  const arranger = new Arranger(root, grid);
  selectionBar(grid, arranger, deeds);
  tileButtons(grid, deeds);
  // Uppy is most of the script's weight and has nothing to do with the first view.
  void import("./uploads").then(({ startUploads }) => startUploads(root, live));
}

function selectionBar(grid: Grid, arranger: Arranger, deeds: Deeds): void {
  const bar = document.getElementById("selection") as HTMLFormElement;
  const count = document.getElementById("selection-count")!;
  bar.dataset["live"] = "";
  for (const hidden of bar.querySelectorAll<HTMLElement>("button[hidden]")) hidden.hidden = false;
  const cover = bar.querySelector<HTMLButtonElement>("[data-cover]")!;
  const all = bar.querySelector<HTMLInputElement>("#bulk-all");
  all?.addEventListener("change", () => (all.checked ? grid.selectAll() : grid.clear()));
  const everything = document.getElementById("select-all");
  if (everything) everything.hidden = false;
  everything?.addEventListener("click", () => grid.selectAll());
  const show = (): void => {
    const selected = grid.choice.count;
    if (all) all.checked = grid.choice.every;
    for (const button of bar.querySelectorAll<HTMLButtonElement>("[data-move]")) button.disabled = selected > grid.selected.length;
    bar.hidden = selected === 0;
    count.textContent = selected ? say("selected", { count: selected }) : "";
    cover.disabled = selected !== 1 || grid.selected.length !== 1;
  };
  grid.onSelection(show);
  grid.show();
  const remove = (): void => {
    // What can be seen leaves at once and comes back to its place; else the server alone knows what it was.
    if (grid.choice.count === grid.selected.length) void deeds.remove(grid.selected);
    else void deeds.bulk(bar.action, "gone", fieldsOf(bar, bar.querySelector<HTMLButtonElement>("[data-delete]")!));
  };
  bar.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter as HTMLButtonElement;
    if (button.matches("[data-cover]")) void deeds.cover(grid.selected[0]!);
    else if (button.dataset["bulk"]) {
      button.closest<HTMLElement>("[popover]")?.hidePopover();
      void deeds.bulk(button.formAction, button.dataset["bulk"], fieldsOf(bar, button));
    } else remove();
  });
  bar.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button");
    if (button?.dataset["move"]) void arranger.move(button.dataset["move"] as Direction);
    if (button?.matches("[data-clear]")) grid.clear();
  });
  document.addEventListener("keydown", (event) => {
    const inGrid = grid.list.contains(document.activeElement) || bar.contains(document.activeElement);
    if (!inGrid) return;
    // In a panel of the bar Escape closes the panel.
    if (event.key === "Escape" && !bar.querySelector(":popover-open")) grid.clear();
    // Not from a field that stands in the bar: there Delete deletes a letter.
    const typing = document.activeElement?.matches("textarea, select, input:not([type=checkbox])");
    if (event.key === "Delete" && !typing) remove();
  });
}

/** The form's own fields, and the button's; what is ticked is told by the choice. */
function fieldsOf(bar: HTMLFormElement, button: HTMLButtonElement): [string, string][] {
  const fields: [string, string][] = [];
  for (const [name, value] of new FormData(bar, button)) {
    if (typeof value === "string" && name !== "id" && name !== "all" && name !== "csrf_token") fields.push([name, value]);
  }
  return fields;
}

function tileButtons(grid: Grid, deeds: Deeds): void {
  grid.list.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("[data-retry], [data-remove]");
    if (!button) return;
    event.preventDefault();
    const { retry, remove } = button.dataset;
    if (retry) void deeds.retry(retry);
    else void deeds.remove([grid.byId(remove!)!]);
  });
}
