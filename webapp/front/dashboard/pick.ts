// Where files come from: two buttons, and dropping anywhere on the page, folders included.
import { getDroppedFiles } from "@uppy/core/utils";

const LITTER = /^(\.|thumbs\.db$|desktop\.ini$)/i;
/** Media whose type browsers often do not know. */
const MEDIA = /\.(heic|heif|avif|tiff?|mkv|mts|m2ts|ts|mov|avi|webm|mp4|m4v)$/i;

export function onFiles(take: (files: File[], leftOut: number) => void): void {
  const hand = (files: File[]): void => {
    const real = files.filter((file) => !LITTER.test(file.name));
    const media = real.filter(mayBeMedia);
    if (real.length) take(media, real.length - media.length);
  };
  for (const id of ["pick-files", "pick-folder"]) {
    const input = document.getElementById(id) as HTMLInputElement;
    const picked = (): void => {
      const files = [...(input.files ?? [])];
      input.value = ""; // So that the same file can be picked again.
      hand(files);
    };
    input.addEventListener("change", picked);
    if (input.files?.length) picked(); // Somebody was quicker than this script came.
  }
  dropping(hand);
}

/** A first look at names and types; the server looks at the content. */
function mayBeMedia(file: File): boolean {
  return /^(image|video)\//.test(file.type) || MEDIA.test(file.name);
}

function dropping(hand: (files: File[]) => void): void {
  const cover = document.getElementById("drop-cover")!;
  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  let leaving: ReturnType<typeof setTimeout> | undefined;
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer!.dropEffect = "copy";
    clearTimeout(leaving);
    cover.hidden = false;
  });
  addEventListener("dragleave", () => {
    leaving = setTimeout(() => (cover.hidden = true), 80); // Fires between any two elements, too.
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    cover.hidden = true;
    void getDroppedFiles(event.dataTransfer!).then(hand);
  });
}
