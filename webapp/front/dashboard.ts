// The dashboard's script. Every page works as plain forms; this makes them quick. Uploading needs it.
import { followArchives } from "./dashboard/archives";
import { previewBrand } from "./dashboard/brand";
import { copyButtons, roleForms, showCurrent } from "./dashboard/forms";
import { tendToasts } from "./dashboard/toast";
import { previewWatermark } from "./dashboard/watermark";

tendToasts();
copyButtons();
roleForms();
showCurrent();
addEventListener("resize", showCurrent);
previewBrand();
previewWatermark();
followArchives();
if (document.getElementById("album")) {
  // The album page's own script, with drag and drop, is a chunk of its own.
  void import("./dashboard/album").then(({ openAlbum }) => openAlbum());
}
if (document.querySelector("#passkey-sign-in, #passkey-new")) {
  void import("./dashboard/passkey").then(({ openPasskeys }) => openPasskeys());
}
