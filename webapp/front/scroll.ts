// Endless scrolling: the "More photos" link is followed in place shortly before it comes into view.
import { paintPlaceholders } from "./placeholder";
import { say } from "./words";

const AHEAD = "1500px";
/** Masonry counts rows by the thousand, and Firefox's grids end at the ten thousandth: from here on the link leads on. */
const MOST_IN_MASONRY = 1000;
let loading: Promise<boolean> | undefined;

/** Append the next page's tiles; false when there is none or it could not be had (the link stays, for a click). */
export function loadMore(grid: HTMLElement): Promise<boolean> {
  loading ??= append(grid).finally(() => (loading = undefined));
  return loading;
}

async function append(grid: HTMLElement): Promise<boolean> {
  const link = document.querySelector<HTMLAnchorElement>("#more");
  if (!link || (grid.dataset["layout"] === "masonry" && grid.children.length >= MOST_IN_MASONRY)) return false;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`${link.href}&part=tiles`, { headers: { Accept: "text/html" } });
    if (!answer.ok) return false;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const known = new Set(Array.from(grid.children, (tile) => (tile as HTMLElement).dataset["id"]));
    const tiles = Array.from(next.querySelectorAll<HTMLElement>("#grid > li")).filter(
      (tile) => !known.has(tile.dataset["id"]),
    );
    grid.append(...tiles);
    paintPlaceholders(grid);
    announce(say("more-loaded", { count: tiles.length }));
    const following = next.querySelector<HTMLAnchorElement>("#more");
    if (following) link.href = new URL(following.getAttribute("href") ?? "", link.href).href;
    else link.parentElement?.remove();
    grid.dispatchEvent(new CustomEvent("tiles"));
    return tiles.length > 0;
  } catch {
    return false;
  } finally {
    link.removeAttribute("aria-busy");
  }
}

export function watchForMore(grid: HTMLElement): void {
  const link = document.querySelector<HTMLAnchorElement>("#more");
  if (!link) return;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    void loadMore(grid).then((more) => more || location.assign(link.href));
  });
  const observer = new IntersectionObserver(
    async (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      // Observing afresh reports the link again if it is still near after the new tiles.
      observer.unobserve(link);
      if ((await loadMore(grid)) && link.isConnected) observer.observe(link);
    },
    { rootMargin: AHEAD },
  );
  observer.observe(link);
}

function announce(text: string): void {
  const status = document.querySelector("#status");
  if (status) status.textContent = text;
}
