// The list of uploads: what runs, what went wrong, what waits for a decision.
import { type Picked } from "./known";
import { percent, say } from "../words";

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
    part("tray-cancel").textContent = say(over ? "close" : "cancel-all");
    const total = part("tray-total") as HTMLProgressElement;
    total.value = rows.length ? rows.reduce((sum, row) => sum + (row.state === "done" ? 100 : row.percent), 0) / rows.length : 0;
    this.box.hidden = rows.length === 0 && !note && part("tray-ask").childElementCount === 0;
  }

  /** What the uploads cost, for as long as the list is there. */
  tell(text: string): void {
    part("tray-price").textContent = text;
    part("tray-price").hidden = !text;
  }

  /** Ask whether to go on with what costs more than the plan includes. */
  agree(question: string): Promise<boolean> {
    const answers = [
      [true, say("upload"), "button"],
      [false, say("cancel"), "button button-quiet"],
    ] as const;
    return this.question([paragraph(question)], answers);
  }

  /** Ask what to do with files that are stored already; resolves to the answer. */
  ask(picked: Picked[], album: string): Promise<"skip" | "reuse" | "upload"> {
    const list = document.createElement("ul");
    list.className = "ask-list";
    for (const { file, twin } of picked.slice(0, 5)) {
      const line = document.createElement("li");
      line.textContent = say(twin!.album === album ? "in-this-album" : "in-another-album", { name: file.name });
      list.append(line);
    }
    if (picked.length > 5) list.append(Object.assign(document.createElement("li"), { textContent: say("and-more", { count: picked.length - 5 }) }));
    const answers = [
      ["skip", say("skip"), "button"],
      ["reuse", say("reuse", { count: picked.length }), "button button-quiet"],
      ["upload", say("upload-anyway"), "button button-quiet"],
    ] as const;
    return this.question([paragraph(say("have-already", { count: picked.length })), list], answers);
  }

  /** Show it and resolve to the answer, each with its label and class. */
  private question<T>(content: HTMLElement[], answers: readonly (readonly [T, string, string])[]): Promise<T> {
    const box = document.createElement("div");
    box.className = "ask";
    const buttons = document.createElement("div");
    buttons.className = "ask-buttons";
    box.append(...content, buttons);
    part("tray-ask").append(box);
    this.box.hidden = false;
    this.fold(false);
    return new Promise((resolve) => {
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
      waiting: say("waiting"),
      running: percent(row.percent),
      done: say("uploaded"),
      failed: say("stopped"),
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
      '<button type="button" class="text-button" data-again></button>' +
      '<button type="button" class="text-button" data-cancel></button></span>';
    element.querySelector(".upload-name")!.textContent = row.name;
    element.querySelector("progress")!.setAttribute("aria-label", say("uploading-one", { name: row.name }));
    for (const [kind, act] of [["again", this.choices.retry], ["cancel", this.choices.cancel]] as const) {
      const button = element.querySelector(`[data-${kind}]`)!;
      button.textContent = say(kind === "again" ? "retry" : "cancel");
      button.setAttribute("aria-label", `${button.textContent} ${row.name}`);
      button.addEventListener("click", () => act(row.id));
    }
    this.rows.set(row.id, element);
    part("tray-files").append(element);
    return element;
  }
}

function paragraph(text: string): HTMLParagraphElement {
  return Object.assign(document.createElement("p"), { textContent: text });
}

function title(all: number, done: number, failed: number, note: string): string {
  if (note) return note;
  if (!all) return say("uploads");
  if (done === all) return say("all-uploaded", { count: all });
  if (done + failed === all) return say("some-stopped", { failed, all });
  return say("uploading", { place: done + 1, all });
}
