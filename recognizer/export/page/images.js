// Pictures as OpenCV treats them. A picture is an ImageData or {data, width, height} with four bytes a pixel: red, green, blue, alpha.
// A plane is {data, width, height} with one byte a pixel.

import { clip, rint } from "./arithmetic.js";

const STEPS = 32; // places in a picture are rounded to this fraction of a pixel, as cv2.remap does with integer maps

export const plane = (width, height) => ({ data: new Uint8Array(width * height), width, height });
const channelsOf = (picture) => picture.data.length / (picture.width * picture.height);

// A turned square of a picture as a network's input: Float32Array (side, side, 3) RGB, 0 to 1.
// `matrix` (2, 3) leads from pixels of the result to pixels of the picture. `table` maps grey levels: 256 for each of red, green and blue.
// Like cv2.convertMaps and cv2.remap; `replicate` says that the edge pixels go on beyond the picture, which is black otherwise.
export function cutOutSquare(picture, matrix, side, replicate, table) {
  const { data, width, height } = picture;
  const m = matrix.map(Math.fround);
  const cut = new Float32Array(side * side * 3);
  for (let row = 0; row < side; row += 1) {
    const atX = Math.fround(Math.fround(m[1] * row) + m[2]);
    const atY = Math.fround(Math.fround(m[4] * row) + m[5]);
    for (let column = 0; column < side; column += 1) {
      const placeX = rint(Math.fround(Math.fround(m[0] * column) + atX) * STEPS);
      const placeY = rint(Math.fround(Math.fround(m[3] * column) + atY) * STEPS);
      const x = Math.floor(placeX / STEPS);
      const y = Math.floor(placeY / STEPS);
      const right = placeX - x * STEPS;
      const below = placeY - y * STEPS;
      const weights = [(STEPS - right) * (STEPS - below), right * (STEPS - below), (STEPS - right) * below, right * below];
      for (let channel = 0; channel < 3; channel += 1) {
        let level = 0;
        for (let corner = 0; corner < 4; corner += 1) {
          let cx = x + (corner & 1);
          let cy = y + (corner >> 1);
          if (replicate) {
            cx = cx < 0 ? 0 : cx >= width ? width - 1 : cx;
            cy = cy < 0 ? 0 : cy >= height ? height - 1 : cy;
          } else if (cx < 0 || cy < 0 || cx >= width || cy >= height) continue;
          level += weights[corner] * data[4 * (cy * width + cx) + channel];
        }
        level = (level + STEPS * STEPS / 2) >> 10;
        cut[3 * (row * side + column) + channel] = (table ? table[256 * channel + level] : level) / 255;
      }
    }
  }
  return cut;
}

// Like cv2.warpAffine with linear interpolation and replicated edges, of the part `box` of a picture: Float32Array (side, side, 3) RGB, 0 to 255.
// `matrix` (2, 3) leads from pixels of the part to pixels of the result.
export function warpAffine(picture, box, matrix, side) {
  const { data, width } = picture;
  const [a, b, c, d, e, f] = matrix;
  const scale = 1 / (a * e - b * d);
  const [ia, ib, id, ie] = [e * scale, -b * scale, -d * scale, a * scale];
  const [ic, iff] = [-(ia * c + ib * f), -(id * c + ie * f)];
  const warped = new Float32Array(side * side * 3);
  const [lastX, lastY] = [box[2] - box[0] - 1, box[3] - box[1] - 1];
  const at = (x, y) => 4 * ((box[1] + clip(y, 0, lastY)) * width + box[0] + clip(x, 0, lastX));
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const placeX = Math.fround(Math.fround(ia * column) + Math.fround(ib * row + ic));
      const placeY = Math.fround(Math.fround(id * column) + Math.fround(ie * row + iff));
      const x = Math.floor(placeX);
      const y = Math.floor(placeY);
      const right = placeX - x;
      const below = placeY - y;
      const corners = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
      for (let channel = 0; channel < 3; channel += 1) {
        const [p, q, r, s] = corners.map((corner) => data[corner + channel]);
        const above = p + right * (q - p);
        warped[3 * (row * side + column) + channel] = rint(above + below * (r + right * (s - r) - above));
      }
    }
  }
  return warped;
}

// The part of a picture or plane inside a box.
export function crop(picture, box) {
  const channels = channelsOf(picture);
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const data = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row += 1) {
    const start = channels * ((box[1] + row) * picture.width + box[0]);
    data.set(picture.data.subarray(start, start + channels * width), row * width * channels);
  }
  return { data, width, height };
}

// The picture with the part [x1, y1, x2, y2] of it, which may reach beyond it, where `outside` gives the colour: null replicates the edges.
export function part(picture, [x1, y1, x2, y2], outside) {
  const { data, width, height } = picture;
  const channels = channelsOf(picture);
  const found = { data: new Uint8Array(channels * (x2 - x1) * (y2 - y1)), width: x2 - x1, height: y2 - y1 };
  for (let row = 0; row < found.height; row += 1) {
    for (let column = 0; column < found.width; column += 1) {
      const isInside = x1 + column >= 0 && x1 + column < width && y1 + row >= 0 && y1 + row < height;
      const from = channels * (clip(y1 + row, 0, height - 1) * width + clip(x1 + column, 0, width - 1));
      const to = channels * (row * found.width + column);
      for (let channel = 0; channel < channels; channel += 1) found.data[to + channel] = isInside || outside === null ? data[from + channel] : outside;
    }
  }
  return found;
}

export function flipped(picture) {
  const { data, width, height } = picture;
  const pixels = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const turned = new Uint32Array(width * height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) turned[row * width + column] = pixels[row * width + width - 1 - column];
  }
  return { data: new Uint8ClampedArray(turned.buffer), width, height };
}

// Like cv2.cvtColor: grey levels from red, green and blue.
export function gray(picture) {
  const { data, width, height } = picture;
  const found = plane(width, height);
  for (let index = 0; index < found.data.length; index += 1) {
    found.data[index] = (data[4 * index] * 9798 + data[4 * index + 1] * 19235 + data[4 * index + 2] * 3735 + 16384) >> 15;
  }
  return found;
}

// Like cv2.resize with INTER_AREA where the picture shrinks, else with INTER_LINEAR.
export function resize(picture, width, height, shrinks) {
  return shrinks ? resizeArea(picture, width, height) : resizeLinear(picture, width, height);
}

function resizeArea(picture, width, height) {
  const isWhole = picture.width % width === 0 && picture.height % height === 0;
  return isWhole ? meanOfBlocks(picture, width, height) : weightedArea(picture, width, height);
}

function meanOfBlocks(picture, width, height) {
  const channels = channelsOf(picture);
  const [across, down] = [picture.width / width, picture.height / height];
  const share = Math.fround(1 / (across * down));
  const isHalf = across === 2 && down === 2; // OpenCV rounds 0.5 up there, and to the even number otherwise
  const found = { data: new Uint8Array(width * height * channels), width, height };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        let total = 0;
        for (let row = y * down; row < (y + 1) * down; row += 1) {
          const start = channels * (row * picture.width + x * across) + channel;
          for (let column = 0; column < across; column += 1) total += picture.data[start + channels * column];
        }
        found.data[channels * (y * width + x) + channel] = isHalf ? (total + 2) >> 2 : rint(Math.fround(total * share));
      }
    }
  }
  return found;
}

function weightedArea(picture, width, height) {
  const channels = channelsOf(picture);
  const [across, down] = [overlaps(picture.width, width), overlaps(picture.height, height)];
  const found = { data: new Uint8Array(width * height * channels), width, height };
  const row = new Float32Array(width * channels);
  for (let y = 0; y < height; y += 1) {
    row.fill(0);
    for (const [fromY, weightY] of down[y]) {
      const start = fromY * picture.width * channels;
      for (let x = 0; x < width; x += 1) {
        for (let channel = 0; channel < channels; channel += 1) {
          let total = 0;
          for (const [fromX, weightX] of across[x]) total = Math.fround(total + Math.fround(weightX * picture.data[start + fromX * channels + channel]));
          row[x * channels + channel] += Math.fround(weightY * total);
        }
      }
    }
    for (let index = 0; index < row.length; index += 1) found.data[y * row.length + index] = rint(row[index]);
  }
  return found;
}

// For each of `to` pixels, the pixels of `from` that it covers, and their shares of it.
function overlaps(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, index) => {
    const [start, end] = [index * scale, Math.min((index + 1) * scale, from)];
    const covered = [];
    for (let pixel = Math.floor(start); pixel < end - 1e-3; pixel += 1) {
      const share = Math.min(pixel + 1, end) - Math.max(pixel, start);
      if (share > 1e-3) covered.push([pixel, Math.fround(share / (end - start))]);
    }
    return covered;
  });
}

function resizeLinear(picture, width, height) {
  const channels = channelsOf(picture);
  const [across, down] = [neighbours(picture.width, width, false), neighbours(picture.height, height, true)];
  const found = { data: new Uint8Array(width * height * channels), width, height };
  for (let y = 0; y < height; y += 1) {
    const [above, below, weightY] = down[y];
    for (let x = 0; x < width; x += 1) {
      const [left, right, weightX] = across[x];
      for (let channel = 0; channel < channels; channel += 1) {
        const at = (column, row) => picture.data[channels * (row * picture.width + column) + channel];
        const upper = at(left, above) * (2048 - weightX) + at(right, above) * weightX;
        const lower = at(left, below) * (2048 - weightX) + at(right, below) * weightX;
        // OpenCV drops these bits, too
        found.data[channels * (y * width + x) + channel] = ((((2048 - weightY) * (upper >> 4)) >> 16) + ((weightY * (lower >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
  return found;
}

// For each of `to` pixels, the two neighbouring pixels of `from`, and the second one's weight of 2048. Beyond an edge, both are the edge's
// pixel; OpenCV weights them there only from top to bottom.
function neighbours(from, to, isWeightedBeyond) {
  return Array.from({ length: to }, (_, index) => {
    const place = Math.fround((index + 0.5) * (from / to) - 0.5);
    const first = Math.floor(place);
    const isBeyond = first < 0 || first >= from - 1;
    const weight = isBeyond && !isWeightedBeyond ? 0 : rint((place - first) * 2048);
    return [clip(first, 0, from - 1), clip(first + 1, 0, from - 1), weight];
  });
}

// The mean of red, green and blue of a picture.
export function meanColour(picture) {
  const totals = [0, 0, 0];
  for (let index = 0; index < picture.data.length; index += 4) for (let channel = 0; channel < 3; channel += 1) totals[channel] += picture.data[index + channel];
  return totals.map((total) => total / (picture.width * picture.height));
}
