import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
const MOST_COLOURS = 256
const MOST_FREQUENT = 128
const TRUE_COLOUR = 2
const TRUE_COLOUR_ALPHA = 6

/** The same picture with 256 colours; every other becomes the nearest of them. A third of the size. */
export function withFewColours(png: Buffer): Buffer {
  const { width, height, pixels } = read(png)
  const counts = new Map<number, number>()
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const palette = paletteOf(counts)
  const indices = new Map(palette.map((colour, at) => [colour, at]))
  const rows = Buffer.alloc((width + 1) * height)
  for (const [at, colour] of pixels.entries()) {
    const index = indices.get(colour) ?? nearest(colour, palette)
    indices.set(colour, index)
    rows[at + Math.floor(at / width) + 1] = index
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // 8 bits, a palette.
  header.set([8, 3, 0, 0, 0], 8)
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Those that the picture has most of, then those that are furthest from all others, so that the one red word stays red. */
function paletteOf(counts: ReadonlyMap<number, number>): number[] {
  const byCount = [...counts].sort(([, one], [, other]) => other - one).map(([colour]) => colour)
  const palette = byCount.slice(0, MOST_FREQUENT)
  const left = byCount.slice(MOST_FREQUENT).map((colour) => ({ colour, far: Infinity }))
  let added = palette
  while (palette.length < MOST_COLOURS && left.length > 0) {
    for (const one of left) one.far = Math.min(one.far, ...added.map((other) => distance(one.colour, other)))
    const furthest = left.reduce((one, other) => (other.far > one.far ? other : one))
    left.splice(left.indexOf(furthest), 1)
    added = [furthest.colour]
    palette.push(furthest.colour)
  }
  return palette
}

/** The colours of a picture as Chromium writes it: 8 bits a channel, not interlaced. */
function read(png: Buffer): { width: number; height: number; pixels: Uint32Array } {
  const parts: Buffer[] = []
  let header = Buffer.alloc(0)
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at)
    const type = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, at + 8 + length)
    if (type === 'IHDR') header = Buffer.from(data)
    if (type === 'IDAT') parts.push(data)
    at += length + 12
  }
  const [width, height, kind] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]]
  if (kind !== TRUE_COLOUR && kind !== TRUE_COLOUR_ALPHA) throw new Error(`a picture of kind ${kind} is not read`)
  const channels = kind === TRUE_COLOUR ? 3 : 4
  const bytes = unfiltered(inflateSync(Buffer.concat(parts)), { stride: width * channels, height, channels })
  const pixels = new Uint32Array(width * height)
  for (let at = 0; at < pixels.length; at++) {
    const from = at * channels
    pixels[at] = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0)
  }
  return { width, height, pixels }
}

interface Layout {
  stride: number
  height: number
  channels: number
}

function unfiltered(data: Buffer, { stride, height, channels }: Layout): Uint8Array {
  const bytes = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)] ?? 0
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x
      const left = x >= channels ? (bytes[at - channels] ?? 0) : 0
      const above = y > 0 ? (bytes[at - stride] ?? 0) : 0
      const corner = x >= channels && y > 0 ? (bytes[at - stride - channels] ?? 0) : 0
      const predicted = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter] ?? 0
      bytes[at] = (data[y * (stride + 1) + 1 + x] ?? 0) + predicted
    }
  }
  return bytes
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner
  const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)]
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}

function nearest(colour: number, palette: readonly number[]): number {
  let [best, least] = [0, Infinity]
  for (const [at, other] of palette.entries()) {
    const far = distance(colour, other)
    if (far < least) [best, least] = [at, far]
  }
  return best
}

function distance(one: number, other: number): number {
  const red = (one >> 16) - (other >> 16)
  const green = ((one >> 8) & 255) - ((other >> 8) & 255)
  const blue = (one & 255) - (other & 255)
  return red * red + green * green + blue * blue
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}
