// The difference of two pictures, from exact integers, at the pictures' own size.

// Inferno, perceptually even from black to pale yellow: eleven places of it, straight lines between them.
const INFERNO = ['000004', '160b39', '420a68', '6a176e', '932667', 'bc3754', 'dd513a', 'f37819', 'fca50a', 'f6d746',
  'fcffa4']
const COLOURS = Array.from({length: 256}, (_, value) => {
  const place = value / 255 * (INFERNO.length - 1), from = Math.min(Math.floor(place), INFERNO.length - 2)
  return [0, 2, 4].map(at => {
    const [one, other] = [from, from + 1].map(which => parseInt(INFERNO[which].slice(at, at + 2), 16))
    return Math.round(one + (other - one) * (place - from))
  })
})

/** Measure two equally large ImageData: by pixel the largest absolute difference of its three colour values. */
function difference(one, other) {
  const values = new Uint8Array(one.width * one.height), a = one.data, b = other.data
  let largest = 0, at = 0, sum = 0, differ = 0
  for (let pixel = 0, i = 0; pixel < values.length; pixel++, i += 4) {
    const red = Math.abs(a[i] - b[i]), green = Math.abs(a[i + 1] - b[i + 1]), blue = Math.abs(a[i + 2] - b[i + 2])
    const most = Math.max(red, green, blue)
    values[pixel] = most
    sum += red + green + blue
    if (most) differ++
    if (most > largest) [largest, at] = [most, pixel]
  }
  return {values, width: one.width, height: one.height, largest, x: at % one.width, y: Math.floor(at / one.width),
    mean: sum / values.length / 3, share: differ / values.length}
}

/** Colour a difference; a value times the gain is cut off at 255. */
function coloured(found, gain) {
  const image = new ImageData(found.width, found.height)
  for (let pixel = 0; pixel < found.values.length; pixel++) {
    const colour = COLOURS[Math.min(found.values[pixel] * gain, 255)]
    image.data.set(colour, pixel * 4)
    image.data[pixel * 4 + 3] = 255
  }
  return image
}

/** Lay one ImageData over another: equal pixels stay exactly as they are at every opacity. */
function mixed(below, above, opacity) {
  const image = new ImageData(below.width, below.height)
  for (let i = 0; i < image.data.length; i++) {
    image.data[i] = Math.round(below.data[i] + (above.data[i] - below.data[i]) * opacity)
  }
  return image
}

/** Say in words what was found. */
function inWords(found) {
  if (!found.largest) return 'Identical: no pixel differs'
  const share = found.share < 0.0005 ? '< 0.1' : (100 * found.share).toFixed(1)
  return `Largest ${found.largest} of 255 at (${found.x}, ${found.y}) · mean ${found.mean.toPrecision(2)} · ` +
    `${share} % of pixels differ`
}
