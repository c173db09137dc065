// The preview of the watermark follows its form; the progress follows the work.
import { percent, say } from "../words";

const PAUSE = 200;
const EVERY = 3000;

export function previewWatermark(): void {
  const form = document.getElementById("watermark-form") as HTMLFormElement | null;
  const frame = document.getElementById("watermark-frame") as HTMLImageElement | null;
  if (!form || !frame) return;
  form.querySelector<HTMLElement>("[data-preview-button]")!.hidden = true;
  let timer = 0;
  const draw = (): void => {
    const values = new FormData(form);
    const query = new URLSearchParams();
    for (const name of ["source", "text", "position", "size", "opacity"]) {
      query.set(name, String(values.get(name) ?? ""));
    }
    const next = new Image();
    next.addEventListener("load", () => (frame.src = next.src)); // What is refused leaves the one before.
    next.src = `${form.dataset["preview"]}?${query}`;
  };
  form.addEventListener("input", (event) => {
    const input = event.target as HTMLInputElement;
    const told = form.querySelector<HTMLOutputElement>(`output[for="${input.id}"]`);
    if (told) told.value = percent(input.valueAsNumber);
    clearTimeout(timer);
    timer = window.setTimeout(draw, PAUSE);
  });
  follow();
}

/** Asks until everything has the present mark; not while nobody looks. */
function follow(): void {
  const box = document.getElementById("watermark-progress");
  const bar = document.getElementById("watermark-bar") as HTMLProgressElement | null;
  const told = box?.querySelector<HTMLElement>("[data-told]");
  if (!box || !bar || !told || box.dataset["done"] === box.dataset["of"]) return;
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(box.dataset["address"]!, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    const { done, of } = (await answer.json()) as { done: number; of: number };
    told.textContent = say("done-of", { done, of });
    bar.max = of;
    bar.value = done;
    if (done >= of) clearInterval(timer);
  }, EVERY);
}
