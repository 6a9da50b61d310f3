import { violationsOf } from './accessibility.ts'
import { type FoundPage, oneOfEachPattern, oneOfEachShape } from './site.ts'
import { type Visitor, sidewaysPixels } from './visitor.ts'

const WIDE = { width: 1280, height: 900, colorScheme: 'light', part: 'all' } as const
const WINDOWS = [
  WIDE,
  { width: 1280, height: 900, colorScheme: 'dark', part: 'colours' },
  { width: 390, height: 844, colorScheme: 'light', part: 'all' },
] as const

/** A page, and whether it is the first of its kind. */
export type LookedAt = FoundPage & { isFirst: boolean }

/** One page of each shape. */
export function pagesToLookAt(pages: readonly FoundPage[]): LookedAt[] {
  const shown = oneOfEachShape(pages)
  const first = new Set(oneOfEachPattern(shown))
  return shown.map((page) => ({ ...page, isFirst: first.has(page) }))
}

export interface Look {
  /** Violations of WCAG, by the window. */
  violations: Record<string, string[]>
  /** Errors of the console, of scripts and of the policy. */
  faults: string[]
  /** By how many pixels it is wider than a window of 360. */
  sideways: number
}

/** Reads a page wide and in light; of pages with one path the first also in dark, and narrow. */
export async function lookAt(
  { page, faults, transferred }: Visitor,
  url: string,
  { isFirst }: Pick<LookedAt, 'isFirst'>,
): Promise<Look & { bytes: number }> {
  await page.goto(url)
  const bytes = await transferred()
  const violations: Look['violations'] = {}
  for (const { width, height, colorScheme, part } of isFirst ? WINDOWS : [WIDE]) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    const found = await violationsOf(page, part)
    if (found.length > 0) violations[`${width} ${colorScheme}`] = found
  }
  await page.setViewportSize({ width: 360, height: 740 })
  return { violations, faults: faults(), sideways: await sidewaysPixels(page), bytes }
}
