// Tiles in processing become pictures: the server is asked what became of them, less often while nothing happens.
import { paintPlaceholders } from "./placeholder";
import { percent as written } from "./words";

const FASTEST = 1500;
const SLOWEST = 15000;
const MOST = 100;

interface Answer {
  shown: Record<string, string>;
  waiting: Record<string, number>;
  gone: string[];
}

export function watchWaiting(grid: HTMLElement): void {
  let pause = FASTEST;
  let timer = 0;
  let seen = "";

  const plan = () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible" && waiting(grid).length > 0) timer = window.setTimeout(ask, pause);
  };

  const ask = async () => {
    const ids = waiting(grid).slice(0, MOST).map((tile) => tile.dataset["id"]);
    try {
      const answer = await fetch(`${grid.dataset["album"]}/tiles?ids=${ids.join(",")}`);
      const text = answer.ok ? await answer.text() : "";
      if (text && text !== seen) {
        apply(grid, JSON.parse(text) as Answer);
        pause = FASTEST;
      } else {
        pause = Math.min(pause * 1.5, SLOWEST);
      }
      seen = text;
    } catch {
      pause = SLOWEST; // Offline, perhaps: the next try is as good as any.
    }
    plan();
  };

  document.addEventListener("visibilitychange", plan);
  grid.addEventListener("tiles", plan);
  plan();
}

function waiting(grid: HTMLElement): HTMLElement[] {
  return Array.from(grid.querySelectorAll<HTMLElement>("li[data-waiting]"));
}

function apply(grid: HTMLElement, answer: Answer): void {
  for (const tile of waiting(grid)) {
    const id = tile.dataset["id"] ?? "";
    const markup = answer.shown[id];
    const percent = answer.waiting[id];
    if (markup) {
      const made = new DOMParser().parseFromString(markup, "text/html").querySelector("li");
      if (made) {
        made.classList.add("tile-arrived");
        tile.replaceWith(made);
      }
    } else if (answer.gone.includes(id)) {
      tile.remove();
    } else if (percent !== undefined) {
      const shown = tile.querySelector(".percent");
      if (shown) shown.textContent = percent > 0 ? ` ${written(percent)}` : "";
    }
  }
  paintPlaceholders(grid);
}
