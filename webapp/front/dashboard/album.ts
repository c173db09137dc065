// The album page: wires grid, selection, order, details, progress and uploads together.
import { Arranger, type Direction } from "./arrange";
import { Deeds } from "./deeds";
import { Details } from "./details";
import { Grid } from "./grid";
import { Live } from "./live";
import { page } from "./request";
import { attempt } from "./toast";
import { say } from "../words";

export function openAlbum(): void {
  const root = document.getElementById("album")!;
  const grid = new Grid(document.getElementById("tiles") as HTMLUListElement);
  const live = new Live(root, grid);
  const deeds = new Deeds(root.dataset["base"]!, grid, live);
  new Details(grid, deeds);
  loadMore(grid);
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
  const show = (): void => {
    const selected = grid.selected.length;
    bar.hidden = selected === 0;
    count.textContent = selected ? say("selected", { count: selected }) : "";
    cover.disabled = selected !== 1;
  };
  grid.onSelection(show);
  show();
  bar.addEventListener("submit", (event) => {
    event.preventDefault();
    const selected = grid.selected;
    if (event.submitter?.matches("[data-cover]")) void deeds.cover(selected[0]!);
    else void deeds.remove(selected);
  });
  bar.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button");
    if (button?.dataset["move"]) void arranger.move(button.dataset["move"] as Direction);
    if (button?.matches("[data-clear]")) grid.clear();
  });
  document.addEventListener("keydown", (event) => {
    const inGrid = grid.list.contains(document.activeElement) || bar.contains(document.activeElement);
    if (!inGrid) return;
    if (event.key === "Escape") grid.clear();
    if (event.key === "Delete") void deeds.remove(grid.selected);
  });
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

/** The next page's tiles come into this one. Without scripts the link leads to a page of its own. */
function loadMore(grid: Grid): void {
  const link = document.getElementById("more") as HTMLAnchorElement | null;
  link?.addEventListener("click", (event) => {
    event.preventDefault();
    void attempt(async () => {
      const next = await page(link.href);
      const last = grid.tiles.at(-1);
      for (const tile of next.querySelectorAll("#tiles > .tile")) {
        if (!document.getElementById(tile.id)) grid.list.append(document.adoptNode(tile));
      }
      const further = next.querySelector<HTMLAnchorElement>("#more");
      if (further) link.setAttribute("href", further.getAttribute("href")!);
      else link.parentElement!.remove();
      grid.focus(last?.nextElementSibling as HTMLLIElement | undefined);
    });
  });
}
