import { checkObject, checkText } from '../site/addresses.ts'

/** How the portal looks like a part of the host's own product. */
export interface Brand {
  /** An inline SVG of the host's own, or the address of a picture with its words. It stands before the name. */
  logo?: { svg: string } | { url: string; alt: string } | undefined
  /** The colour of the main buttons and the underline of links: `#rrggbb` or `oklch(…)`; any other needs `primaryForeground`. */
  primary?: string | undefined
  /** The text on it. @default black or white, the one with more contrast */
  primaryForeground?: string | undefined
  /** Corners, such as `12px`. */
  radius?: string | undefined
  /** The font family of all but code. */
  sans?: string | undefined
  /** Further custom properties of the stylesheet, such as `{ '--card': 'white' }`: each must have enough contrast. */
  tokens?: Readonly<Record<`--${string}`, string>> | undefined
}

const NAMES = ['logo', 'primary', 'primaryForeground', 'radius', 'sans', 'tokens']

/** @throws {TypeError} for a name or a value of the wrong kind, a value that could end its declaration, a colour without its foreground */
export function checkBrand(brand: Brand): void {
  checkObject('brand', brand)
  for (const name of Object.keys(brand)) {
    if (!NAMES.includes(name)) throw new TypeError(`brand has no ${name}; it has ${NAMES.join(', ')}`)
  }
  const { logo, tokens, ...texts } = brand
  checkObject('brand.tokens', tokens)
  for (const [name, text] of Object.entries({ ...texts, ...tokens })) checkText(`brand: ${name}`, text)
  for (const [name, value] of declarations(brand)) {
    if (!/^--[a-z][a-z0-9-]*$/.test(name)) throw new TypeError(`brand.tokens must be named like --card; found ${name}`)
    if (/[;{}<>]|\/\*/.test(value) || value.length > 300)
      throw new TypeError(`brand: ${name} must be a CSS value; found ${value.slice(0, 100)}`)
  }
  checkObject('brand.logo', logo)
  for (const [name, text] of Object.entries(logo ?? {})) checkText(`brand.logo.${name}`, text)
  if (logo && !('url' in logo) && !('svg' in logo))
    throw new TypeError(`brand.logo must have svg, or url and alt; found ${Object.keys(logo).join(', ') || 'neither'}`)
  if (logo && 'url' in logo) checkText('brand.logo.alt', logo.alt ?? null)
  if (logo && 'url' in logo && !/^https:\/\/|^\/(?!\/)/.test(logo.url))
    throw new TypeError(`brand.logo.url must be an https address or a path; found ${logo.url.slice(0, 100)}`)
}

/** The stylesheet that a brand adds; undefined if it sets nothing. */
export function brandStylesheet(brand: Brand = {}): string | undefined {
  const rules = declarations(brand).map(([name, value]) => `${name}: ${value};`)
  // Twice the class: it wins over the design's own rules for the portal.
  return rules.length === 0 ? undefined : `.portal.portal { ${rules.join(' ')} }\n`
}

function declarations({ primary, primaryForeground, radius, sans, tokens = {} }: Brand): [string, string][] {
  const foreground = primaryForeground ?? (primary === undefined ? undefined : foregroundOn(primary))
  const named = {
    '--primary': primary,
    '--primary-foreground': foreground,
    '--radius': radius,
    '--sans': sans,
    ...tokens,
  }
  return Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
}

/** The lightness in oklch from which black has more contrast than white. */
const LIGHT = 0.65

function foregroundOn(color: string): string {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color)
  if (hex) {
    const [red = 0, green = 0, blue = 0] = hex.slice(1).map((pair) => linear(Number.parseInt(pair, 16) / 255))
    // The relative luminance of WCAG; at 0.179 black and white have the same contrast.
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? 'black' : 'white'
  }
  const [, lightness, percent] = /^oklch\(\s*([\d.]+)(%?)/.exec(color) ?? []
  if (lightness === undefined)
    throw new TypeError(`brand.primary is neither #rrggbb nor oklch(…), so it needs primaryForeground; found ${color}`)
  return Number(lightness) / (percent ? 100 : 1) > LIGHT ? 'black' : 'white'
}

function linear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}
