// A guest's own pages: choosing from favourites, adding photos.
const upload = document.getElementById("guest-upload");
if (upload) void import("./dashboard/uploads").then(({ startUploads }) => startUploads(upload, null));

const picks = document.querySelector<HTMLFormElement>("#picks");
const count = picks?.querySelector<HTMLElement>("[data-count]");
if (picks && count) {
  const most = Number(picks.dataset["most"] ?? 0);
  const ticks = [...picks.querySelectorAll<HTMLInputElement>('input[name="asset"]')];
  const words = count.textContent ?? "";
  const first = /\d+/.exec(words)?.[0] ?? "";
  const draw = (): void => {
    const chosen = ticks.filter((tick) => tick.checked).length;
    count.textContent = first ? words.replace(first, String(chosen)) : words;
    count.toggleAttribute("data-over", most > 0 && chosen > most);
  };
  picks.addEventListener("change", draw);
  draw();
}
