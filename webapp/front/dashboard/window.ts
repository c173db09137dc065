// The part of an album that the page holds: pages of tiles come in at one end and leave at the other, so that an album
// of ten thousand takes no more memory than one of six hundred.
import { type Grid, type Tile, idOf } from "./grid";
import { page } from "./request";
import { attempt } from "./toast";

const MOST_TILES = 600;

const link = (id: string): HTMLAnchorElement => document.getElementById(id) as HTMLAnchorElement;
const line = (id: string): HTMLElement => document.getElementById(id)!;

export function slide(root: HTMLElement, grid: Grid): void {
  const go = (forwards: boolean) => (event: Event) => {
    event.preventDefault();
    void attempt(() => load(root, grid, forwards));
  };
  link("more").addEventListener("click", go(true));
  link("earlier").addEventListener("click", go(false));
}

async function load(root: HTMLElement, grid: Grid, forwards: boolean): Promise<void> {
  const next = await page(link(forwards ? "more" : "earlier").href);
  const fresh = [...next.querySelectorAll<Tile>("#tiles > .tile")]
    .filter((tile) => !document.getElementById(tile.id))
    .map((tile) => document.adoptNode(tile));
  const edge = (forwards ? grid.tiles.at(-1) : grid.tiles[0]) ?? null;
  const above = edge?.getBoundingClientRect().top ?? 0;
  if (forwards) grid.list.append(...fresh);
  else grid.list.prepend(...fresh);
  const tiles = grid.tiles;
  const over = Math.max(0, tiles.length - MOST_TILES);
  for (const tile of forwards ? tiles.slice(0, over) : tiles.slice(tiles.length - over)) tile.remove();
  const found = next.getElementById(forwards ? "more-line" : "earlier-line");
  ends(root, grid, forwards, Boolean(found && !found.hidden), over > 0);
  grid.show();
  if (edge?.isConnected) scrollBy(0, edge.getBoundingClientRect().top - above);
  grid.focus(forwards ? fresh[0] : fresh.at(-1));
}

/** Where the window ends, and what is beyond. */
function ends(root: HTMLElement, grid: Grid, forwards: boolean, beyond: boolean, cut: boolean): void {
  const [ahead, behind] = forwards ? ["more-line", "earlier-line"] : ["earlier-line", "more-line"];
  line(ahead).hidden = !beyond;
  if (cut) line(behind).hidden = false;
  aim(link("more"), "after", grid.tiles.at(-1));
  aim(link("earlier"), "before", grid.tiles[0]);
  if (line("earlier-line").hidden) delete root.dataset["preceded"];
  else root.dataset["preceded"] = "";
}

function aim(at: HTMLAnchorElement, name: string, tile: Tile | undefined): void {
  if (tile) at.href = `${location.pathname}?${name}=${idOf(tile)}`;
}

/** The tiles as the server has them now. */
export async function refresh(grid: Grid): Promise<void> {
  const fresh = (await page(location.href)).querySelectorAll<Tile>("#tiles > .tile");
  if (!fresh.length) return location.reload();
  grid.list.replaceChildren(...[...fresh].map((tile) => document.adoptNode(tile)));
  grid.show();
  grid.settleFocus(null);
}
