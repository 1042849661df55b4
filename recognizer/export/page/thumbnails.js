// The small pictures of the cards: what the model sees of a region.

const SIDE = 84; // pixels
const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });

// The region with `image`, the address of its picture.
export function withImage(picture, region) {
  const { data, width, height } = region.input ? grey(region.input) : part(picture, region.box);
  [canvas.width, canvas.height] = [width, height];
  pen.putImageData(new ImageData(data, width, height), 0, 0);
  return { ...region, image: canvas.toDataURL() };
}

function grey({ data, width, height }) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  data.forEach((level, pixel) => pixels.set([level, level, level, 255], 4 * pixel));
  return { data: pixels, width, height };
}

// Every n-th pixel of a part of the picture.
function part(picture, [x1, y1, x2, y2]) {
  const step = Math.max(1, Math.floor(Math.max(x2 - x1, y2 - y1) / SIDE));
  const [width, height] = [Math.max(1, Math.floor((x2 - x1) / step)), Math.max(1, Math.floor((y2 - y1) / step))];
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = 4 * ((y1 + y * step) * picture.width + x1 + x * step);
      data.set(picture.data.subarray(from, from + 4), 4 * (y * width + x));
    }
  }
  return { data, width, height };
}
