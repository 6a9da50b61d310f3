import { PAGES } from '../../packages/dashboard/src/lib/operator/pages.ts'

/** A page that a link leads to. */
export interface FoundPage {
  /** Its path of the list of pages, such as `/deliveries/:id`. */
  pattern: string
  /** Below the mount path, with its query. */
  path: string
  html: string
}

/** The paths of the list of pages. */
export const PATTERNS: readonly string[] = PAGES.map(({ path }) => path)

// Rows of a list link to pages of the same kind.
const LIKE_EACH = 12

/**
 * Follows the links and the GET forms from the first page, and returns every page of an installation: of many that differ only in an id, and
 * whose links look alike, the first twelve, and of many that differ in the value of a parameter the first. A new page is there
 * without being named.
 *
 * @param patterns the paths of the pages that there are
 */
export async function walk(
  url: string,
  patterns: readonly string[] = PATTERNS,
  headers: Readonly<Record<string, string>> = {},
): Promise<FoundPage[]> {
  const found: FoundPage[] = []
  const counts = new Map<string, number>()
  const seen = new Set<string>()
  const left: Link[] = [{ path: '', look: '' }]
  for (let link = left.shift(); link !== undefined; link = left.shift()) {
    const { path, look } = link
    const pattern = patternOf(path, patterns)
    if (seen.has(path) || pattern === undefined) continue
    seen.add(path)
    const like = `${pattern}?${parametersOf(path).join('&')} ${look}`
    const count = (counts.get(like) ?? 0) + 1
    counts.set(like, count)
    if (count > (path.includes('?') ? 1 : LIKE_EACH)) continue
    const response = await fetch(url + path, { headers })
    const html = await response.text()
    if (!response.ok) throw new Error(`${path} is linked to and answers ${response.status}: ${html.slice(0, 200)}`)
    found.push({ pattern, path, html })
    left.push(...linksIn(html, new URL(url).pathname), ...searchesIn(html, new URL(url).pathname))
  }
  return found
}

/**
 * Of pages that consist of the same elements with the same classes the first; of those that differ in their parameters as many as show
 * each parameter.
 */
export function oneOfEachShape(pages: readonly FoundPage[]): FoundPage[] {
  const shown = new Set<string>()
  const [plain, asked] = [
    pages.filter(({ path }) => !path.includes('?')),
    pages.filter(({ path }) => path.includes('?')),
  ]
  const showing = asked.filter(({ pattern, path }) => {
    const names = parametersOf(path).map((name) => `${pattern} ${name}`)
    const isNew = names.some((name) => !shown.has(name))
    for (const name of names) shown.add(name)
    return isNew
  })
  return [
    ...firstOfEach(plain, ({ pattern, html }) => `${pattern} ${shapeOf(html.slice(html.indexOf('<main')))}`),
    ...showing,
  ]
}

/** Of each path of the list one page. */
export function oneOfEachPattern(pages: readonly FoundPage[]): FoundPage[] {
  return firstOfEach(pages, ({ pattern }) => pattern)
}

function firstOfEach(pages: readonly FoundPage[], keyOf: (page: FoundPage) => string): FoundPage[] {
  return [...Map.groupBy(pages, keyOf).values()].flatMap((alike) => alike.slice(0, 1))
}

/** The list is in order: a path that is a word comes before one with a parameter in its place. */
export function patternOf(path: string, patterns: readonly string[]): string | undefined {
  const plain = path.split('?', 1)[0] || '/'
  return patterns.find((pattern) => new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}$`).test(plain))
}

interface Link {
  /** Below the mount path. */
  path: string
  /** The elements of its text. */
  look: string
}

function linksIn(html: string, mount: string): Link[] {
  return [...html.matchAll(/<a [^>]*?href="([^"]*)"[^>]*>(.*?)<\/a>/gs)]
    .map(([, href = '', text = '']) => ({ href: textOf(href), look: shapeOf(text) }))
    .filter(({ href }) => href.startsWith(mount) && /^([/?]|$)/.test(href.slice(mount.length)))
    .map(({ href, look }) => ({ path: href.slice(mount.length), look }))
}

/** The addresses to which the GET forms lead as they stand, with each choice of their radio buttons. */
function searchesIn(html: string, mount: string): Link[] {
  return [...html.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)].flatMap(([, attributes = '', inside = '']) => {
    if (attributes.includes('method="post"')) return []
    const path = (/action="([^"]*)"/.exec(attributes)?.[1] ?? '').slice(mount.length)
    const inputs = [...inside.matchAll(/<input[^>]*>/g)].map(([tag]) => ({
      isChoice: tag.includes('type="radio"'),
      isMissing: / required/.test(tag) && !/ value="[^"]/.test(tag),
      name: / name="([^"]*)"/.exec(tag)?.[1] ?? '',
      value: textOf(/ value="([^"]*)"/.exec(tag)?.[1] ?? ''),
    }))
    if (inputs.some(({ isMissing }) => isMissing)) return []
    const given = inputs
      .filter(({ isChoice, value }) => !isChoice && value !== '')
      .map(({ name, value }) => [name, value])
    const choices = inputs.filter(({ isChoice }) => isChoice).map(({ name, value }) => [name, value])
    return (choices.length === 0 ? [[]] : choices.map((choice) => [choice])).map((choice) => ({
      path: `${path}?${new URLSearchParams([...given, ...choice])}`,
      look: `form ${choice.join()}`,
    }))
  })
}

function parametersOf(path: string): string[] {
  return [...new URLSearchParams(path.split('?')[1]).keys()].sort()
}

/** The value of an attribute, as the renderer of the pages escapes it. */
function textOf(value: string): string {
  return value.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? '')
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

/** The elements of a text, each with its classes. */
function shapeOf(html: string): string {
  const parts = [...html.matchAll(/<([\w-]+)(?:[^>]*? class="([^"]*)")?/g)]
  return [...new Set(parts.map(([, tag = '', classes = '']) => `${tag}.${classes}`))].sort().join(' ')
}
