// The tiles of an album: finding, replacing, selecting, and moving the focus among them. The page holds a window of the
// album's tiles; what is selected is remembered apart from it, so tiles may leave and come back.
import { Choice } from "./choice";

export type Tile = HTMLLIElement;

export class Grid {
  readonly list: HTMLUListElement;
  readonly choice: Choice;
  private anchor: Tile | null = null;
  private listeners: (() => void)[] = [];

  constructor(list: HTMLUListElement, total: number) {
    this.list = list;
    this.choice = new Choice(total);
    list.dataset["live"] = "";
    list.addEventListener("keydown", (event) => this.onKey(event));
    list.addEventListener("click", (event) => this.onClick(event));
    list.addEventListener("change", () => this.changed());
    for (const tile of this.tiles) if (boxOf(tile)?.checked) this.choice.set(idOf(tile), true); // Kept by the browser.
    list.addEventListener("focusin", (event) => this.settleFocus(tileOf(event.target)));
    this.settleFocus(null);
  }

  get tiles(): Tile[] {
    return [...this.list.querySelectorAll<Tile>(":scope > .tile")];
  }

  get selected(): Tile[] {
    return this.tiles.filter((tile) => boxOf(tile)?.checked);
  }

  byId(id: string): Tile | null {
    return document.getElementById(`tile-${id}`) as Tile | null;
  }

  onSelection(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Boxes were ticked or unticked: remember it, and tell. */
  changed(): void {
    for (const tile of this.tiles) {
      const box = boxOf(tile);
      if (box) this.choice.set(idOf(tile), box.checked);
    }
    for (const listener of this.listeners) listener();
  }

  /** Everything in the album, tiles that are not on the page included. */
  selectAll(): void {
    this.choice.all();
    this.show();
  }

  clear(): void {
    this.choice.none();
    this.show();
  }

  /** Tick the boxes as the choice has it. */
  show(): void {
    for (const tile of this.tiles) {
      const box = boxOf(tile);
      if (box) box.checked = this.choice.has(idOf(tile));
    }
    for (const listener of this.listeners) listener();
  }

  /** Tiles that are gone from the album. */
  drop(tiles: Tile[]): void {
    for (const tile of tiles) {
      this.choice.forget(idOf(tile));
      tile.remove();
    }
  }

  /** Put a tile where one of the same id is, keeping selection and focus; else at the end. */
  place(html: string): void {
    const made = parse(html);
    const old = this.byId(made.dataset["id"]!);
    if (!old) {
      this.list.append(made);
      this.list.hidden = false;
      this.choice.total += 1;
      const box = boxOf(made);
      if (box) box.checked = false; // Who chose everything has not seen this one: the server leaves it out as well.
    } else {
      const focused = old.contains(document.activeElement);
      const box = boxOf(made);
      if (box) box.checked = this.choice.has(idOf(made));
      old.replaceWith(made);
      if (focused) this.focus(made);
    }
    this.settleFocus(null);
  }

  focus(tile: Tile | undefined): void {
    if (!tile) return;
    this.settleFocus(tile);
    (boxOf(tile) ?? linkOf(tile)).focus();
    tile.scrollIntoView({ block: "nearest" });
  }

  /** One tile's controls are in the tab order, arrow keys do the rest: two hundred tab stops help nobody. */
  settleFocus(current: Tile | null): void {
    const tiles = this.tiles;
    const stop = current ?? tiles.find((tile) => linkOf(tile).tabIndex === 0 && tile.dataset["stop"]) ?? tiles[0];
    for (const tile of tiles) {
      const index = tile === stop ? 0 : -1;
      if (tile === stop) tile.dataset["stop"] = "1";
      else delete tile.dataset["stop"];
      linkOf(tile).tabIndex = index;
      const box = boxOf(tile);
      if (box) box.tabIndex = index;
    }
  }

  private onClick(event: MouseEvent): void {
    const tile = tileOf(event.target);
    const box = tile && boxOf(tile);
    if (!tile || !box) return;
    const onBox = event.target === box;
    const onPicture = (event.target as Element).closest("[data-open]") !== null;
    // A click with a mouse has a detail; Enter on the link does not and opens the tile even while others are selected.
    const selecting = onPicture && event.detail > 0 && (event.shiftKey || this.selected.length > 0);
    if (selecting) {
      event.preventDefault();
      box.checked = !box.checked;
    }
    if (!onBox && !selecting) return;
    if (event.shiftKey) this.range(tile, box.checked);
    else this.anchor = tile;
    this.changed();
  }

  private range(to: Tile, checked: boolean): void {
    const tiles = this.tiles;
    const from = this.anchor ? tiles.indexOf(this.anchor) : -1;
    const end = tiles.indexOf(to);
    if (from < 0) return;
    for (const tile of tiles.slice(Math.min(from, end), Math.max(from, end) + 1)) {
      const box = boxOf(tile);
      if (box) box.checked = checked;
    }
  }

  private onKey(event: KeyboardEvent): void {
    const tile = tileOf(event.target);
    if (!tile || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "a" && boxOf(tile)) {
      event.preventDefault();
      this.selectAll();
      return;
    }
    const next = this.neighbour(tile, event.key);
    if (!next) return;
    event.preventDefault();
    if (event.shiftKey && boxOf(tile)) {
      if (!this.anchor || !boxOf(tile)!.checked) this.anchor = tile;
      this.range(next, true);
      this.changed();
    }
    this.focus(next);
  }

  private neighbour(tile: Tile, key: string): Tile | undefined {
    const tiles = this.tiles;
    const here = tiles.indexOf(tile);
    const columns = tiles.filter((each) => each.offsetTop === tiles[0]!.offsetTop).length;
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns }[key];
    if (to !== undefined) return tiles[to];
    return { Home: tiles[0], End: tiles.at(-1) }[key];
  }
}

export const boxOf = (tile: Tile): HTMLInputElement | null => tile.querySelector('input[type="checkbox"]');
export const linkOf = (tile: Tile): HTMLAnchorElement => tile.querySelector("[data-open]")!;
export const idOf = (tile: Tile): string => tile.dataset["id"]!;
export const tileOf = (target: EventTarget | null): Tile | null => (target as Element | null)?.closest<Tile>(".tile") ?? null;

function parse(html: string): Tile {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild as Tile;
}
