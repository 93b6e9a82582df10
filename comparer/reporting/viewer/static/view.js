// Where every picture lies, in whole device pixels, and how it is drawn there. All layers share one rectangle.

const LARGEST = 64
const STEPS = [0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]

/** Return the least CSS pixels that are whole pixels of the screen: 4 at 1.25; 1 where up to 16 never are. */
function whole(scale) {
  const fits = Array.from({length: 16}, (_, i) => i + 1).find(unit => Math.abs(unit * scale % 1 - 0.5) > 0.499)
  return fits ?? 1
}

/** Return the enlargement at which a picture fits: whole where it is enlarged, so that all its pixels are equal. */
function fitting(size, width, height) {
  const zoom = Math.min(width / size.width, height / size.height)
  return zoom >= 1 ? Math.min(Math.floor(zoom), LARGEST) : zoom
}

/** Lay out so many panes in rows, as large as can be. All lengths are device pixels, ``band`` is above each pane. */
function layout(count, size, width, height, band, gap) {
  let best = null
  for (let columns = count; columns >= 1; columns--) {
    const rows = Math.ceil(count / columns)
    const across = Math.floor((width - gap * (columns - 1)) / columns)
    const down = Math.floor((height - gap * (rows - 1)) / rows) - band
    const fit = fitting(size, across, Math.max(down, 1))
    // Of much the same enlargements the fewer rows, and of as many rows the fullest.
    const fuller = best && rows === best.rows && fit >= best.fit
    if (!best || fuller || fit > best.fit * 1.05) best = {columns, rows, across, down, fit}
  }
  const {columns, rows, across, fit} = best
  const down = Math.max(Math.round(size.height * fit), Math.min(best.down, Math.round(height * 0.12)), 1)
  const panes = Array.from({length: count}, (_, i) => ({
    x: (i % columns) * (across + gap), y: Math.floor(i / columns) * (down + band + gap) + band, w: across, h: down,
  }))
  return {panes, fit, height: rows * (down + band) + gap * (rows - 1)}
}

/** Keep the middle where the picture is seen. */
function kept(view, pane, size) {
  const within = (middle, room, length) =>
    length <= room ? 0.5 : Math.min(Math.max(middle, room / 2 / length), 1 - room / 2 / length)
  view.x = within(view.x, pane.w, size.width * view.zoom)
  view.y = within(view.y, pane.h, size.height * view.zoom)
}

/** Return the one rectangle in which every layer of a pane is drawn. */
function placed(view, pane, size) {
  const w = Math.max(Math.round(size.width * view.zoom), 1), h = Math.max(Math.round(size.height * view.zoom), 1)
  return {x: Math.round(pane.x + pane.w / 2 - view.x * w), y: Math.round(pane.y + pane.h / 2 - view.y * h), w, h}
}

/** Return the part of a pane where the picture is seen. */
function seen(pane, rect) {
  const x = Math.max(pane.x, rect.x), y = Math.max(pane.y, rect.y)
  return {x, y, w: Math.min(pane.x + pane.w, rect.x + rect.w) - x, h: Math.min(pane.y + pane.h, rect.y + rect.h) - y}
}

/** Split what is seen of a picture: left or upper part, right or lower part. */
function split(area, share, upright) {
  const at = Math.round((upright ? area.w : area.h) * share)
  return upright
    ? [{...area, w: at}, {...area, x: area.x + at, w: area.w - at}]
    : [{...area, h: at}, {...area, y: area.y + at, h: area.h - at}]
}

/**
 * Draw one layer in its rectangle, cut to an area of whole device pixels. It is enlarged at the same coordinates in
 * every pane and for every area, on a sheet of the pane's size, and copied from there: where a pixel of the screen lies
 * between two of the picture, which one is taken may depend on where in a canvas that is.
 */
function paint(context, sheet, image, rect, pane, area, zoom) {
  if (!image || area.w <= 0 || area.h <= 0) return
  if (sheet.width !== pane.w || sheet.height !== pane.h) Object.assign(sheet, {width: pane.w, height: pane.h})
  const enlarged = sheet.getContext('2d')
  enlarged.clearRect(0, 0, pane.w, pane.h)
  enlarged.imageSmoothingEnabled = zoom < 1
  enlarged.imageSmoothingQuality = 'high'
  enlarged.drawImage(image.drawn, rect.x - pane.x, rect.y - pane.y, rect.w, rect.h)
  context.imageSmoothingEnabled = false
  const {x, y, w, h} = area
  context.drawImage(sheet, x - pane.x, y - pane.y, w, h, x, y, w, h)
}

/** Enlarge about a point of a pane, given in device pixels from the pane's middle. */
function zoomed(view, zoom, size, point) {
  const before = {w: size.width * view.zoom, h: size.height * view.zoom}
  const at = {x: view.x + point.x / before.w, y: view.y + point.y / before.h}
  view.zoom = zoom
  view.x = at.x - point.x / (size.width * zoom)
  view.y = at.y - point.y / (size.height * zoom)
}
