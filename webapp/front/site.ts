// An album page with scripts on: placeholders, endless scrolling, live tiles, and the lightbox when it is first needed.
// Everything here adds to a page that works without it.
import { watchHearts } from "./heart";
import { installGridKeys } from "./grid-keys";
import { watchForMore } from "./scroll";
import { watchWaiting } from "./live";
import { paintPlaceholders } from "./placeholder";

const grid = document.querySelector<HTMLElement>("#grid");

if (grid) {
  paintPlaceholders(grid);
  watchForMore(grid);
  watchWaiting(grid);
  watchHearts();
  installGridKeys(grid);

  const load = () => import("./lightbox");
  // The code is fetched when a pointer comes near or a tile gets focus: there when the click is.
  for (const hint of ["pointerover", "focusin", "touchstart"] as const) {
    grid.addEventListener(hint, load, { once: true, passive: true });
  }
  grid.addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-open]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain) return;
    event.preventDefault();
    load().then(
      ({ open }) => open(grid, link),
      () => location.assign(link.href), // The script did not arrive: the photo's own page will.
    );
  });
}
