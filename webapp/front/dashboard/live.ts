// Files on their way: asks the server while there are any, and turns their tiles into pictures.
import { type Grid, idOf } from "./grid";
import { Refused, json } from "./request";

interface Told {
  cursor: number;
  working: number;
  counts: string;
  assets: { id: string; state: string; stage: string; progress: number; generation: number; html: string }[];
  gone: string[];
}

const EVERY_MS = 1500;
const AT_MOST_MS = 20_000;
const MOST_WATCHED = 100;
const ON_THE_WAY = new Set(["received", "processing", "viewable"]);

export class Live {
  private since: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = EVERY_MS;
  /** Whether uploads run: new assets are about to appear even if none is being processed. */
  expecting = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly grid: Grid,
  ) {
    this.since = Number(root.dataset["now"]);
    if (Number(root.dataset["working"])) this.poke();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.timer) this.poke();
    });
  }

  /** Ask soon, and go on asking until nothing is left to wait for. */
  poke(): void {
    clearTimeout(this.timer);
    this.wait = EVERY_MS;
    this.timer = setTimeout(() => void this.ask(), 300);
  }

  private async ask(): Promise<void> {
    let more = true;
    try {
      more = this.show(await json<Told>(this.address()));
      this.wait = EVERY_MS;
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 404) return;
      this.wait = Math.min(AT_MOST_MS, this.wait * 2); // The server rests: do not hammer it.
    }
    this.timer = more ? setTimeout(() => void this.ask(), document.hidden ? AT_MOST_MS : this.wait) : undefined;
  }

  private address(): string {
    const query = new URLSearchParams({ since: String(this.since) });
    const watched = this.grid.tiles.filter((tile) => ON_THE_WAY.has(tile.dataset["state"]!)).slice(0, MOST_WATCHED);
    for (const tile of watched) query.append("watch", idOf(tile));
    return `${this.root.dataset["base"]}/progress?${query}`;
  }

  private show(told: Told): boolean {
    this.since = told.cursor;
    for (const id of told.gone) this.grid.byId(id)?.remove();
    for (const asset of told.assets) {
      const tile = this.grid.byId(asset.id);
      const same = tile?.dataset["state"] === asset.state && tile.dataset["generation"] === String(asset.generation);
      const bar = tile?.querySelector("progress");
      if (!same || !bar) {
        if (!tile || !same) this.grid.place(asset.html);
        continue;
      }
      if (asset.state !== "received") bar.value = asset.progress;
      tile!.querySelector(".tile-stage")!.textContent = stageIn(asset.html);
    }
    document.getElementById("counts")!.textContent = told.counts;
    document.getElementById("drop")?.classList.toggle("drop-small", this.grid.tiles.length > 0);
    return told.working > 0 || this.expecting;
  }
}

function stageIn(html: string): string {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.querySelector(".tile-stage")?.textContent ?? "";
}
