// The list of uploads: what runs, what went wrong, what waits for a decision.
import { type Picked } from "./known";

export interface Row {
  id: string;
  name: string;
  state: "waiting" | "running" | "done" | "failed";
  /** 0 to 100. */
  percent: number;
  error?: string;
}

export interface Choices {
  cancel(id: string): void;
  retry(id: string): void;
  cancelAll(): void;
  retryAll(): void;
}

const part = (id: string): HTMLElement => document.getElementById(id)!;

export class Tray {
  private readonly box = part("tray");
  private readonly rows = new Map<string, HTMLLIElement>();
  private over = false;

  constructor(private readonly choices: Choices) {
    part("tray-retry").addEventListener("click", () => choices.retryAll());
    part("tray-cancel").addEventListener("click", () => choices.cancelAll());
    part("tray-fold").addEventListener("click", () => this.fold(!part("tray-body").hidden));
  }

  private fold(closed: boolean): void {
    part("tray-fold").setAttribute("aria-expanded", String(!closed));
    part("tray-body").hidden = closed;
  }

  show(rows: Row[], note = ""): void {
    const present = new Set(rows.map((row) => row.id));
    for (const [id, element] of this.rows) {
      if (!present.has(id)) {
        element.remove();
        this.rows.delete(id);
      }
    }
    for (const row of rows) this.draw(row);
    const done = rows.filter((row) => row.state === "done").length;
    const failed = rows.filter((row) => row.state === "failed").length;
    const over = rows.length > 0 && done + failed === rows.length && !note;
    if (over && !failed && !this.over && part("tray-ask").childElementCount === 0) this.fold(true);
    if (!over && this.over) this.fold(false);
    this.over = over;
    part("tray-title").textContent = title(rows.length, done, failed, note);
    part("tray-retry").hidden = failed < 2;
    part("tray-cancel").textContent = over ? "Close" : "Cancel all";
    const total = part("tray-total") as HTMLProgressElement;
    total.value = rows.length ? rows.reduce((sum, row) => sum + (row.state === "done" ? 100 : row.percent), 0) / rows.length : 0;
    this.box.hidden = rows.length === 0 && !note && part("tray-ask").childElementCount === 0;
  }

  /** Ask what to do with files that are stored already; resolves to the answer. */
  ask(picked: Picked[], album: string): Promise<"skip" | "reuse" | "upload"> {
    const box = document.createElement("div");
    box.className = "ask";
    const one = picked.length === 1;
    const head = document.createElement("p");
    head.textContent = one ? "You have this file already:" : `You have these ${picked.length} files already:`;
    const list = document.createElement("ul");
    list.className = "ask-list";
    for (const { file, twin } of picked.slice(0, 5)) {
      const line = document.createElement("li");
      line.textContent = `${file.name}: in ${twin!.album === album ? "this album" : "another album"}`;
      list.append(line);
    }
    if (picked.length > 5) list.append(Object.assign(document.createElement("li"), { textContent: `and ${picked.length - 5} more` }));
    const buttons = document.createElement("div");
    buttons.className = "ask-buttons";
    box.append(head, list, buttons);
    part("tray-ask").append(box);
    this.box.hidden = false;
    this.fold(false);
    return new Promise((resolve) => {
      const answers = [
        ["skip", "Skip", "button"],
        ["reuse", one ? "Add without uploading" : "Add all without uploading", "button button-quiet"],
        ["upload", "Upload anyway", "button button-quiet"],
      ] as const;
      for (const [answer, label, css] of answers) {
        const button = Object.assign(document.createElement("button"), { type: "button", className: css, textContent: label });
        button.addEventListener("click", () => {
          box.remove();
          resolve(answer);
        });
        buttons.append(button);
      }
    });
  }

  private draw(row: Row): void {
    const element = this.rows.get(row.id) ?? this.make(row);
    element.dataset["state"] = row.state;
    const bar = element.querySelector("progress")!;
    if (row.state === "running" || row.percent) bar.value = row.percent;
    element.querySelector(".upload-state")!.textContent = {
      waiting: "Waiting",
      running: `${Math.floor(row.percent)} %`,
      done: "Uploaded",
      failed: "Stopped",
    }[row.state];
    const error = element.querySelector<HTMLElement>(".upload-error")!;
    error.hidden = !row.error;
    error.textContent = row.error ?? "";
    element.querySelector<HTMLElement>("[data-again]")!.hidden = row.state !== "failed";
    element.querySelector<HTMLElement>("[data-cancel]")!.hidden = row.state === "done";
  }

  private make(row: Row): HTMLLIElement {
    const element = document.createElement("li");
    element.className = "upload";
    element.innerHTML =
      '<span class="upload-name"></span><span class="upload-state"></span><progress max="100" value="0"></progress>' +
      '<span class="upload-error" hidden></span><span class="upload-actions">' +
      '<button type="button" class="text-button" data-again>Retry</button>' +
      '<button type="button" class="text-button" data-cancel>Cancel</button></span>';
    element.querySelector(".upload-name")!.textContent = row.name;
    element.querySelector("progress")!.setAttribute("aria-label", `Uploading ${row.name}`);
    for (const [kind, act] of [["again", this.choices.retry], ["cancel", this.choices.cancel]] as const) {
      const button = element.querySelector(`[data-${kind}]`)!;
      button.setAttribute("aria-label", `${button.textContent} ${row.name}`);
      button.addEventListener("click", () => act(row.id));
    }
    this.rows.set(row.id, element);
    part("tray-files").append(element);
    return element;
  }
}

function title(all: number, done: number, failed: number, note: string): string {
  if (note) return note;
  if (!all) return "Uploads";
  if (done === all) return all === 1 ? "1 file uploaded" : `${all} files uploaded`;
  if (done + failed === all) return `${failed} of ${all} stopped`;
  return `Uploading ${done + 1} of ${all}`;
}
