// One asset in a dialog: the same markup as its own page, so the page's address works as well.
import { type Deeds } from "./deeds";
import { type Grid, type Tile, boxOf, idOf, linkOf, tileOf } from "./grid";
import { type Done, page, post } from "./request";
import { attempt, toast } from "./toast";
import { say } from "../words";

export class Details {
  private readonly dialog = document.getElementById("asset-dialog") as HTMLDialogElement;
  private tile: Tile | null = null;

  constructor(
    private readonly grid: Grid,
    private readonly deeds: Deeds,
  ) {
    grid.list.addEventListener("click", (event) => this.onClick(event));
    this.dialog.addEventListener("submit", (event) => this.onSubmit(event));
    this.dialog.addEventListener("close", () => this.grid.focus(this.tile ?? undefined));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // The backdrop.
    });
  }

  private onClick(event: MouseEvent): void {
    const tile = tileOf(event.target);
    const plain = !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
    if (!tile || !plain || !(event.target as Element).closest("[data-open]")) return;
    event.preventDefault();
    void attempt(() => this.open(tile));
  }

  private async open(tile: Tile): Promise<void> {
    const found = (await page(linkOf(tile).href)).getElementById("asset-panel");
    if (!found) return;
    this.tile = tile;
    this.dialog.replaceChildren(this.bar(tile), document.adoptNode(found));
    if (!this.dialog.open) this.dialog.showModal();
  }

  private bar(tile: Tile): HTMLElement {
    const bar = document.createElement("div");
    bar.className = "dialog-bar";
    const steps = document.createElement("div");
    const to = (label: string, target: Element | null): HTMLButtonElement => {
      const button = toolButton(label);
      button.disabled = !target;
      button.addEventListener("click", () => void attempt(() => this.open(target as Tile)));
      return button;
    };
    steps.append(to(say("previous"), tile.previousElementSibling), to(say("next"), tile.nextElementSibling));
    const close = toolButton(say("close"));
    close.addEventListener("click", () => this.dialog.close());
    bar.append(steps, close);
    return bar;
  }

  private onSubmit(event: SubmitEvent): void {
    const form = event.target as HTMLFormElement;
    const tile = this.tile;
    if (!tile) return;
    const action = new URL((event.submitter as HTMLButtonElement | null)?.formAction || form.action).pathname;
    event.preventDefault();
    if (form.matches("[data-caption]")) void attempt(() => this.saveCaption(form, tile));
    else if (action.endsWith("/cover")) void this.deeds.cover(tile).then(() => this.dialog.close());
    else if (action.endsWith("/retry")) void this.deeds.retry(idOf(tile)).then(() => this.dialog.close());
    else {
      this.dialog.close();
      void this.deeds.remove([tile]);
    }
  }

  private async saveCaption(form: HTMLFormElement, tile: Tile): Promise<void> {
    const told = new FormData(form);
    const fields = ["caption", "alt", "tags"].map((name): [string, string] => [name, String(told.get(name) ?? "")]);
    const done = await post<Done & { caption: string }>(form.action, fields);
    const name = tile.querySelector<HTMLElement>(".tile-name")!;
    const shown = done.caption || name.title;
    name.textContent = shown;
    tile.querySelector("img")?.setAttribute("alt", shown);
    const label = boxOf(tile)?.parentElement?.querySelector("span");
    if (label) label.textContent = say("select", { name: shown });
    toast(done.message);
  }
}

function toolButton(label: string): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tool";
  button.textContent = label;
  return button;
}
