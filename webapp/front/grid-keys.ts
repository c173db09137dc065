// The grid by arrow keys: along the row in the direction of reading, up and down to the tile that is nearest.
import { mirrored } from "./words";

export function installGridKeys(grid: HTMLElement): void {
  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const here = (event.target as Element).closest<HTMLAnchorElement>("a[data-open]");
    if (!here) return;
    const target = destination(grid, here, event.key);
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  });
}

function destination(grid: HTMLElement, here: HTMLAnchorElement, key: string): HTMLAnchorElement | undefined {
  const all = Array.from(grid.querySelectorAll<HTMLAnchorElement>("a[data-open]"));
  const place = all.indexOf(here);
  const forward = mirrored() ? "ArrowLeft" : "ArrowRight";
  switch (key) {
    case "ArrowLeft":
    case "ArrowRight":
      return all[place + (key === forward ? 1 : -1)];
    case "Home":
      return all[0];
    case "End":
      return all.at(-1);
    case "ArrowUp":
      return nearest(here, all.slice(0, place).reverse());
    case "ArrowDown":
      return nearest(here, all.slice(place + 1));
    default:
      return undefined;
  }
}

/** Of the first row in `others` that is not this tile's, the tile whose middle is closest to it. */
function nearest(here: HTMLElement, others: HTMLAnchorElement[]): HTMLAnchorElement | undefined {
  const box = here.getBoundingClientRect();
  const middle = (rect: DOMRect) => rect.left + rect.width / 2;
  let row: number | undefined;
  let best: { link: HTMLAnchorElement; distance: number } | undefined;
  for (const link of others) {
    const rect = link.getBoundingClientRect();
    if (Math.abs(rect.top - box.top) < 1) continue;
    row ??= rect.top;
    if (Math.abs(rect.top - row) >= 1) break;
    const distance = Math.abs(middle(rect) - middle(box));
    if (!best || distance < best.distance) best = { link, distance };
  }
  return best?.link;
}
