// Arranging by hand: drag, buttons, Alt with an arrow key. All end in the same move.
import Sortable from "sortablejs";
import { type Grid, type Tile, boxOf, idOf, tileOf } from "./grid";
import { idFields, post } from "./request";
import { announce, attempt } from "./toast";
import { say } from "../words";

export type Direction = "first" | "earlier" | "later" | "last";

export class Arranger {
  private pending: Promise<unknown> = Promise.resolve();
  private before: Tile[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly grid: Grid,
  ) {
    Sortable.create(grid.list, {
      draggable: ".tile",
      animation: 150,
      delay: 200,
      delayOnTouchOnly: true,
      filter: "input, button",
      preventOnFilter: false,
      onStart: () => (this.before = grid.tiles),
      onEnd: ({ item }) => void this.dropped(item as Tile),
    });
    grid.list.addEventListener("keydown", (event) => this.onKey(event));
    document.getElementById("arrange")?.addEventListener("click", (event) => {
      event.preventDefault();
      void this.agree();
    });
  }

  /** Move what is selected, or `only`, one place or to an end. */
  async move(direction: Direction, only?: Tile): Promise<void> {
    const moved = this.grid.selected.length ? this.grid.selected : only ? [only] : [];
    if (!moved.length || !(await this.agree())) return;
    const rest = this.grid.tiles.filter((tile) => !moved.includes(tile));
    const before = (tile: Tile): number => rest.filter((each) => precedes(each, tile)).length;
    const place = {
      first: () => 0,
      earlier: () => Math.max(0, before(moved[0]!) - 1),
      later: () => Math.min(rest.length, before(moved.at(-1)!) + 1),
      last: () => rest.length,
    }[direction]();
    const focused = tileOf(document.activeElement);
    await this.apply(moved, rest, place, direction === "last", direction === "first");
    if (focused) this.grid.focus(focused);
    announce(say("moved-to", { place: place + 1, all: this.grid.tiles.length }));
  }

  private async dropped(item: Tile): Promise<void> {
    const together = boxOf(item)?.checked ? this.before.filter((tile) => boxOf(tile)?.checked) : [item];
    const rest = this.grid.tiles.filter((tile) => !together.includes(tile));
    const place = rest.filter((tile) => precedes(tile, item)).length;
    if (this.grid.tiles.every((tile, index) => tile === this.before[index])) return;
    if (await this.agree()) await this.apply(together, rest, place, false);
    else this.grid.list.append(...this.before);
  }

  private async apply(moved: Tile[], rest: Tile[], place: number, last: boolean, first = false): Promise<void> {
    const order = [...rest.slice(0, place), ...moved, ...rest.slice(place)];
    this.grid.list.append(...order);
    const fields: [string, string][] = [...idFields(moved.map(idOf)), ["after", place ? idOf(rest[place - 1]!) : ""]];
    // At the edge of what the page holds there may be more: then the place is told by what follows.
    if (!place && !first && rest[0] && this.root.dataset["preceded"] !== undefined) fields.push(["before", idOf(rest[0])]);
    if (last) fields.push(["last", "1"]);
    // One at a time: each move counts on the one before.
    this.pending = this.pending.then(() =>
      attempt(async () => void (await post(`${this.root.dataset["base"]}/move`, fields))).then((went) => {
        if (!went) location.reload();
      }),
    );
    await this.pending;
  }

  /** Whether the album is, or from now on may be, arranged by hand. */
  private async agree(): Promise<boolean> {
    if (this.root.dataset["manual"] !== undefined) return true;
    const dialog = document.getElementById("arrange-dialog") as HTMLDialogElement;
    dialog.returnValue = "no";
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    if (dialog.returnValue !== "yes") return false;
    return attempt(async () => {
      await post(`${this.root.dataset["base"]}/arrange`);
      this.root.dataset["manual"] = "";
      this.grid.list.dataset["manual"] = "";
      document.getElementById("order-sorted")!.hidden = true;
      document.getElementById("order-manual")!.hidden = false;
    });
  }

  private onKey(event: KeyboardEvent): void {
    const tile = tileOf(event.target);
    const direction = { ArrowLeft: "earlier", ArrowUp: "earlier", ArrowRight: "later", ArrowDown: "later", Home: "first", End: "last" }[
      event.key
    ] as Direction | undefined;
    if (!tile || !event.altKey || !direction) return;
    event.preventDefault(); // Alt with an arrow is the browser's way back otherwise.
    void this.move(direction, tile);
  }
}

function precedes(one: Tile, other: Tile): boolean {
  return Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
}
