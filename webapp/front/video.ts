// Video with HLS where it pays: the browser's own player where there is one, hls.js elsewhere, MP4 as the way out.
import type Hls from "hls.js";

const NATIVE = "application/vnd.apple.mpegurl";

export interface Film {
  hls?: string | undefined;
  mp4?: string | undefined;
}

/** Give the element its source. The returned function stops all downloading. */
export async function attach(video: HTMLVideoElement, film: Film): Promise<() => void> {
  if (!film.hls || (video.canPlayType(NATIVE) && !("MediaSource" in window))) {
    return plain(video, film.hls ?? film.mp4);
  }
  const { default: Player } = await import("hls.js");
  if (!Player.isSupported()) return plain(video, video.canPlayType(NATIVE) ? film.hls : film.mp4);
  const player: Hls = new Player({ enableWorker: false, maxBufferLength: 20, capLevelToPlayerSize: true });
  player.on(Player.Events.ERROR, (_event, problem) => {
    if (!problem.fatal) return;
    player.destroy();
    if (film.mp4) plain(video, film.mp4);
  });
  player.loadSource(film.hls);
  player.attachMedia(video);
  return () => player.destroy();
}

function plain(video: HTMLVideoElement, source: string | undefined): () => void {
  if (source) video.src = source;
  return () => {
    video.removeAttribute("src");
    video.load();
  };
}
