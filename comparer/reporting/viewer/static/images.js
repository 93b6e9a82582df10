// Pictures by address, and their pixels. The last few are kept.

const KEPT = 24
const EXACT = {colorSpaceConversion: 'none', premultiplyAlpha: 'none'}

/** Read a picture's bytes; a page from disk may not, of other files. */
async function bytes(url) {
  const inside = /^data:([^;,]*);base64,(.*)$/s.exec(url)
  if (!inside) {
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`${answer.status}`)
    return answer.blob()
  }
  return new Blob([Uint8Array.from(atob(inside[2]), letter => letter.charCodeAt(0))], {type: inside[1]})
}

async function load(address) {
  // "#id" is that of an image on this page, which holds its bytes once for all that show them.
  const url = address.startsWith('#') ? document.getElementById(address.slice(1)).src : address
  try {
    const bitmap = await createImageBitmap(await bytes(url), EXACT)
    return {drawn: bitmap, width: bitmap.width, height: bitmap.height}
  } catch {
    const image = new Image()
    image.src = url
    await image.decode()
    return {drawn: image, width: image.naturalWidth, height: image.naturalHeight}
  }
}

function surface(width, height) {
  const canvas = document.createElement('canvas')
  Object.assign(canvas, {width, height})
  return canvas
}

class Images {
  kept = new Map()

  /** Return a promise of {drawn, width, height}. */
  get(url) {
    const found = this.kept.get(url) ?? load(url)
    this.kept.delete(url)
    this.kept.set(url, found)
    found.catch(() => this.kept.delete(url))
    for (const old of this.kept.keys()) {
      if (this.kept.size <= KEPT) break
      this.kept.delete(old)
    }
    return found
  }
}

/** Return a picture's ImageData, or null where the browser does not give it. */
function pixels(image) {
  if (image.pixels !== undefined) return image.pixels
  try {
    const context = surface(image.width, image.height).getContext('2d', {willReadFrequently: true})
    context.drawImage(image.drawn, 0, 0)
    image.pixels = context.getImageData(0, 0, image.width, image.height)
  } catch {
    image.pixels = null
  }
  return image.pixels
}

/** Turn an ImageData into something that is drawn as a picture is. */
function picture(data) {
  const canvas = surface(data.width, data.height)
  canvas.getContext('2d').putImageData(data, 0, 0)
  return {drawn: canvas, width: data.width, height: data.height}
}
