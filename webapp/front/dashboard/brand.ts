// The preview follows the form while it is filled in. The server draws it, with the code that draws the saved brand; what
// it answers is put into the frame's page in place, so that nothing flickers and the frame stays where it was scrolled to.

const PAUSE = 250;
/** A page's own styles, which hold no `<`. They are taken out before parsing: this page's policy admits none but its own. */
const STYLE = /<style[^>]*>([^<]*)<\/style>/g;

export function previewBrand(): void {
  const form = document.getElementById("brand-form") as HTMLFormElement | null;
  const frame = document.getElementById("brand-frame") as HTMLIFrameElement | null;
  if (!form || !frame) return;
  const pictures = new Map<string, string>();
  let timer = 0;
  let latest = 0;

  const draw = async (): Promise<void> => {
    const turn = ++latest;
    const body = new FormData(form);
    for (const name of ["logo", "icon"]) body.delete(name); // Shown from this machine; sent when the form is saved.
    try {
      const answer = await fetch(form.dataset["preview"]!, { method: "POST", body, headers: { Accept: "text/html" } });
      if (!answer.ok || turn !== latest) return;
      const text = await answer.text();
      if (turn !== latest) return;
      const drawn = new DOMParser().parseFromString(text.replaceAll(STYLE, ""), "text/html");
      const styles = Array.from(text.matchAll(STYLE), (found) => found[1] ?? "");
      show(frame, drawn, styles, pictures);
      note(drawn);
    } catch {
      // Offline, perhaps: the next change tries again.
    }
  };
  const plan = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(draw, PAUSE);
  };
  form.addEventListener("input", plan);
  form.addEventListener("change", plan);

  form.querySelector<HTMLElement>("[data-preview-button]")!.hidden = true;
  pickColours(form, plan);
  takePalettes(form, plan);
  widths(frame);
  for (const name of ["logo"]) {
    const input = form.elements.namedItem(name) as HTMLInputElement;
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file) pictures.set(name, URL.createObjectURL(file));
      else pictures.delete(name);
    });
  }
}

/** The drawn page in the place of the one in the frame. Its styles are built, not written, for the same reason. */
function show(frame: HTMLIFrameElement, drawn: Document, styles: string[], pictures: Map<string, string>): void {
  const page = frame.contentDocument;
  const view = frame.contentWindow as (Window & typeof globalThis) | null;
  if (!page?.body || !view) return;
  page.documentElement.lang = drawn.documentElement.lang;
  page.documentElement.dir = drawn.documentElement.dir;
  page.documentElement.dataset["theme"] = drawn.documentElement.dataset["theme"];
  const sheets = styles.map((style) => {
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync(style);
    return sheet;
  });
  for (const style of page.querySelectorAll("style")) style.remove();
  page.adoptedStyleSheets = sheets;
  const { scrollX, scrollY } = view;
  page.body.className = drawn.body.className;
  page.body.replaceChildren(...Array.from(drawn.body.childNodes, (node) => page.importNode(node, true)));
  view.scrollTo(scrollX, scrollY);
  const logo = pictures.get("logo");
  const mark = page.querySelector<HTMLElement>(".mark");
  if (!logo || !mark) return;
  const image = page.createElement("img");
  image.src = logo;
  image.alt = mark.textContent ?? "";
  mark.replaceChildren(image);
}

/** What the server has to say about a field, beside the field. */
function note(drawn: Document): void {
  const said = new Map<string, string[]>();
  for (const line of drawn.querySelectorAll<HTMLElement>("#notes > [data-field]")) {
    const field = line.dataset["field"]!;
    said.set(field, [...(said.get(field) ?? []), line.textContent ?? ""]);
  }
  for (const place of document.querySelectorAll<HTMLElement>("[data-note]")) {
    const lines = said.get(place.dataset["note"]!) ?? [];
    if (Array.from(place.children, (child) => child.textContent).join() === lines.join() && lines.length) continue;
    place.replaceChildren(
      ...lines.map((text) => Object.assign(document.createElement("span"), { className: "note-line", textContent: text })),
    );
  }
}

function pickColours(form: HTMLFormElement, changed: () => void): void {
  for (const picker of form.querySelectorAll<HTMLInputElement>("[data-picks]")) {
    const text = form.elements.namedItem(picker.dataset["picks"]!) as HTMLInputElement;
    picker.hidden = false;
    picker.addEventListener("input", () => {
      text.value = picker.value;
      changed();
    });
    text.addEventListener("input", () => {
      if (/^#[0-9a-f]{6}$/i.test(text.value)) picker.value = text.value.toLowerCase();
    });
  }
}

function takePalettes(form: HTMLFormElement, changed: () => void): void {
  form.querySelector<HTMLElement>("[data-presets]")!.hidden = false;
  const fields = ["paper_light", "ink_light", "paper_dark", "ink_dark"];
  for (const preset of form.querySelectorAll<HTMLElement>("[data-palette]")) {
    preset.addEventListener("click", () => {
      preset.dataset["palette"]!.split(",").forEach((value, at) => {
        const text = form.elements.namedItem(fields[at]!) as HTMLInputElement;
        text.value = value;
        form.querySelector<HTMLInputElement>(`[data-picks="${fields[at]}"]`)!.value = value || "#ffffff";
      });
      changed();
    });
  }
}

function widths(frame: HTMLIFrameElement): void {
  const group = document.querySelector<HTMLElement>("[data-widths]")!;
  group.hidden = false;
  const buttons = [...group.querySelectorAll<HTMLButtonElement>("[data-width]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
      frame.style.maxWidth = button.dataset["width"] ? `${button.dataset["width"]}px` : "";
    });
  }
}
