const VOID = new Set(['br', 'hr', 'img', 'input', 'link', 'meta'])
const CODE_TAGS = new Set(['code', 'pre', 'script', 'style', 'textarea'])
const CODE_CLASSES = /(^| )(mono|code|json|hdr|line)( |$)/
const SAID = ['aria-label', 'title', 'placeholder', 'alt']

/** The texts of a page that a reader sees or hears, without code, data and quotations of English: elements with `lang="en"`. */
export function visibleTexts(html: string): string[] {
  const texts: string[] = []
  const open: { tag: string; isHidden: boolean }[] = []
  const isHidden = () => open.some((one) => one.isHidden)
  for (const [, closed, tag = '', attributes = '', text = ''] of html.matchAll(
    /<(?:\/([\w-]+)|!?([\w-]+)((?:[^>"]|"[^"]*")*))>([^<]*)/g,
  )) {
    if (closed !== undefined) {
      while (open.length > 0 && open.pop()?.tag !== closed);
    } else {
      const attribute = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1] ?? ''
      const isCode =
        CODE_TAGS.has(tag) || CODE_CLASSES.test(attribute('class')) || (tag !== 'html' && attribute('lang') === 'en')
      if (!isHidden() && !isCode) texts.push(...SAID.map(attribute))
      if (!VOID.has(tag) && !attributes.endsWith('/')) open.push({ tag, isHidden: isCode })
    }
    if (!isHidden()) texts.push(text)
  }
  return texts.map((text) => text.trim()).filter((text) => text !== '')
}
