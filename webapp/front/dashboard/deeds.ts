// What is done to assets: trash and back, cover, another try.
import { type Grid, type Tile, idOf } from "./grid";
import { type Live } from "./live";
import { type Done, idFields, post } from "./request";
import { attempt, toast } from "./toast";
import { refresh } from "./window";

export class Deeds {
  constructor(
    private readonly base: string,
    private readonly grid: Grid,
    private readonly live: Live,
  ) {}

  /** What is done to everything selected, whether its tile is on the page or not. */
  async bulk(url: string, kind: string, fields: [string, string][]): Promise<void> {
    await attempt(async () => {
      const { choice } = this.grid;
      const done = await post<Done & { count?: number }>(url, [...fields, ...choice.fields()]);
      const tiles = this.grid.selected;
      const reload = choice.count > tiles.length;
      if (kind === "gone") {
        this.grid.drop(tiles);
        choice.total -= done.count ?? tiles.length;
      }
      if (kind === "works") {
        for (const tile of tiles) if (tile.dataset["state"] === "ready") tile.dataset["state"] = "viewable";
        this.live.poke();
      }
      this.grid.clear();
      this.grid.settleFocus(null);
      const undo = done.undo;
      const again = async (): Promise<void> => {
        await post<Done>(undo!, []);
        location.reload();
      };
      toast(done.message, undo ? again : undefined);
      if (kind === "changes" || (kind === "gone" && reload && !this.grid.tiles.length)) await refresh(this.grid);
    });
  }

  async remove(tiles: Tile[]): Promise<void> {
    if (!tiles.length) return;
    await attempt(async () => {
      const done = await post<Done>(`${this.base}/assets/delete`, idFields(tiles.map(idOf)));
      const places = tiles.map((tile) => ({ tile, next: tile.nextElementSibling }));
      const focusNext = tiles.at(-1)!.nextElementSibling ?? tiles[0]!.previousElementSibling;
      this.grid.drop(tiles);
      this.grid.choice.total -= tiles.length;
      this.grid.clear();
      this.grid.settleFocus(null);
      this.grid.focus((focusNext as Tile | null) ?? undefined);
      toast(done.message, async () => {
        const back = await post<Done>(done.undo!, idFields(done.ids));
        for (const { tile, next } of places.reverse()) {
          this.grid.list.insertBefore(tile, next?.parentElement === this.grid.list ? next : null);
        }
        this.grid.choice.total += tiles.length;
        this.grid.clear();
        this.grid.focus(tiles[0]);
        toast(back.message);
      });
    });
  }

  async cover(tile: Tile): Promise<void> {
    await attempt(async () => {
      const done = await post<Done>(`${this.base}/cover`, idFields([idOf(tile)]));
      const old = this.grid.list.querySelector(".badge-start");
      const template = document.getElementById("cover-badge") as HTMLTemplateElement;
      const badge = old ?? template.content.firstElementChild!.cloneNode(true);
      tile.querySelector("[data-open]")!.append(badge);
      this.grid.clear();
      toast(done.message);
    });
  }

  async retry(id: string): Promise<void> {
    await attempt(async () => {
      const done = await post<Done>(`${this.base}/assets/${id}/retry`);
      const tile = this.grid.byId(id);
      if (tile) tile.dataset["state"] = "received";
      this.live.poke();
      toast(done.message);
    });
  }
}
