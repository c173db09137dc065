// The lightbox by keyboard, beside what PhotoSwipe knows: ends, full screen, and arrows that follow the writing.
import type PhotoSwipe from "photoswipe";
import { mirrored, say } from "./words";

const FULL =
  '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M7 7h7v2H9v5H7V7Zm11 0h7v7h-2V9h-5V7ZM7 18h2v5h5v2H7v-7Zm16 0h2v7h-7v-2h5v-5Z"/></svg>';

/** Whether the key belongs to what has the focus: a menu, a slider, a text. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches("input, select, textarea");
}

/** Tab goes round within the box: from the last control to the first, and back. */
function goRound(box: PhotoSwipe, event: KeyboardEvent): void {
  const all = Array.from(box.element?.querySelectorAll<HTMLElement>("button, a[href], input, select") ?? []).filter(
    (each) => !each.matches(":disabled") && each.checkVisibility({ visibilityProperty: true }) && !each.closest("[aria-hidden=true]"),
  );
  const place = all.indexOf(document.activeElement as HTMLElement);
  const leaving = event.shiftKey ? place <= 0 : place === all.length - 1;
  if (!leaving || all.length === 0) return;
  event.preventDefault();
  all.at(event.shiftKey ? -1 : 0)?.focus();
}

export function installKeys(box: PhotoSwipe): void {
  box.on("keydown", (event) => {
    const { originalEvent } = event;
    if (originalEvent.key === "Tab") goRound(box, originalEvent);
    if (originalEvent.altKey || originalEvent.ctrlKey || originalEvent.metaKey || originalEvent.shiftKey) return;
    if (isTyping(originalEvent.target) && originalEvent.key !== "Escape" && originalEvent.key !== "Tab") {
      event.preventDefault();
      return;
    }
    const ways: Record<string, () => void> = {
      Home: () => box.goTo(0),
      End: () => box.goTo(box.getNumItems() - 1),
      f: () => void toggleFullScreen(box),
    };
    if (mirrored()) {
      ways["ArrowLeft"] = () => box.currIndex < box.getNumItems() - 1 && box.next();
      ways["ArrowRight"] = () => box.currIndex > 0 && box.prev();
    }
    const way = ways[originalEvent.key];
    if (!way) return;
    event.preventDefault();
    originalEvent.preventDefault();
    way();
  });
  installFullScreen(box);
}

function installFullScreen(box: PhotoSwipe): void {
  if (!document.fullscreenEnabled) return;
  box.on("uiRegister", () =>
    box.ui?.registerElement({
      name: "full-button",
      ariaLabel: say("full-screen"),
      title: say("full-screen-key"),
      order: 9,
      isButton: true,
      html: FULL,
      onInit: (button) => {
        const told = () => button.setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
        told();
        document.addEventListener("fullscreenchange", told);
        box.on("destroy", () => document.removeEventListener("fullscreenchange", told));
      },
      onClick: () => void toggleFullScreen(box),
    }),
  );
  box.on("close", () => {
    if (document.fullscreenElement) void document.exitFullscreen();
  });
}

async function toggleFullScreen(box: PhotoSwipe): Promise<void> {
  // Refused, as in a frame that may not: then it just stays as it is.
  const asked = document.fullscreenElement ? document.exitFullscreen() : box.element?.requestFullscreen();
  await asked?.catch(() => undefined);
}
