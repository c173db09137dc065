// Hearts without leaving the page: on tiles, on a photo's page, in the lightbox. Each is a plain submit button that
// works without this, by the form with the id "heart".
import type PhotoSwipe from "photoswipe";
import { say } from "./words";

const BUSY = "aria-busy";
const OUTLINE =
  '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M16 25.2 8.2 17.4a5.2 5.2 0 0 1 0-7.4 5.3 5.3 0 0 1 7.4 0l.4.4.4-.4a5.3 5.3 0 0 1 7.4 0 5.2 5.2 0 0 1 0 7.4Z"/></svg>';

const isOn = (heart: Element): boolean => heart.getAttribute("aria-pressed") === "true";

function show(heart: HTMLButtonElement, on: boolean): void {
  heart.setAttribute("aria-pressed", String(on));
  heart.value = on ? "0" : "1";
}

/** Ask the server to have it the other way. What is shown is what it answered; a refusal goes by way of a page. */
async function toggle(heart: HTMLButtonElement): Promise<void> {
  const form = heart.form;
  if (!form || heart.hasAttribute(BUSY)) return;
  const wanted = !isOn(heart);
  const body = new URLSearchParams(new FormData(form) as unknown as Record<string, string>);
  body.set("on", wanted ? "1" : "0");
  heart.setAttribute(BUSY, "true");
  show(heart, wanted); // At once: a heart that waits for the network feels broken.
  try {
    const answer = await fetch(heart.formAction, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const told = (await answer.json()) as { on: boolean; count: number };
    show(heart, told.on);
    for (const count of document.querySelectorAll("[data-hearts]")) count.textContent = String(told.count);
  } catch {
    show(heart, !wanted);
    heart.removeAttribute(BUSY);
    form.requestSubmit(heart); // The plain way shows what is the matter.
    return;
  }
  heart.removeAttribute(BUSY);
  heart.dispatchEvent(new CustomEvent("heart", { bubbles: true }));
}

/** Take over the page's hearts, those that come later included. */
export function watchHearts(): void {
  document.addEventListener("click", (event) => {
    const heart = (event.target as Element).closest<HTMLButtonElement>("button[data-heart]");
    if (!heart || heart.hasAttribute("data-plain")) return;
    event.preventDefault();
    void toggle(heart);
  });
}

/** The lightbox's heart is the tile's: one state, two buttons. "f" is its key. */
export function installHeart(box: PhotoSwipe, grid: HTMLElement): void {
  const tile = (): HTMLButtonElement | null => {
    const link = (box.currSlide?.data as { link?: HTMLElement } | undefined)?.link;
    return link?.closest("li")?.querySelector<HTMLButtonElement>("[data-heart]") ?? null;
  };
  if (!grid.querySelector("[data-heart]")) return;
  box.on("uiRegister", () =>
    box.ui?.registerElement({
      name: "heart",
      ariaLabel: say("favourite"),
      title: say("favourite-key"),
      order: 6,
      isButton: true,
      html: OUTLINE,
      onInit: (button) => {
        const draw = (): void => button.setAttribute("aria-pressed", String(tile() !== null && isOn(tile()!)));
        box.on("change", draw);
        grid.addEventListener("heart", draw);
        box.on("destroy", () => grid.removeEventListener("heart", draw));
      },
      onClick: () => press(),
    }),
  );
  const press = (): void => {
    const heart = tile();
    if (!heart) return;
    const button = box.element?.querySelector(".pswp__button--heart");
    button?.setAttribute("aria-pressed", String(!isOn(heart)));
    void toggle(heart);
  };
  box.on("keydown", ({ originalEvent }) => {
    if (originalEvent.key === "f" && !originalEvent.ctrlKey && !originalEvent.metaKey) press();
  });
}
