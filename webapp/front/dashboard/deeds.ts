// What is done to assets: trash and back, cover, another try.
import { type Grid, type Tile, idOf } from "./grid";
import { type Live } from "./live";
import { type Done, idFields, post } from "./request";
import { attempt, toast } from "./toast";

export class Deeds {
  constructor(
    private readonly base: string,
    private readonly grid: Grid,
    private readonly live: Live,
  ) {}

  async remove(tiles: Tile[]): Promise<void> {
    if (!tiles.length) return;
    await attempt(async () => {
      const done = await post<Done>(`${this.base}/assets/delete`, idFields(tiles.map(idOf)));
      const places = tiles.map((tile) => ({ tile, next: tile.nextElementSibling }));
      const focusNext = tiles.at(-1)!.nextElementSibling ?? tiles[0]!.previousElementSibling;
      for (const tile of tiles) tile.remove();
      this.grid.clear();
      this.grid.settleFocus(null);
      this.grid.focus((focusNext as Tile | null) ?? undefined);
      toast(done.message, async () => {
        const back = await post<Done>(done.undo!, idFields(done.ids));
        for (const { tile, next } of places.reverse()) {
          this.grid.list.insertBefore(tile, next?.parentElement === this.grid.list ? next : null);
        }
        this.grid.changed();
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
