import { violationsOf } from './accessibility.ts'
import { type Visitor, sidewaysPixels } from './visitor.ts'

const WINDOWS = [
  { width: 1280, height: 900, colorScheme: 'light', part: 'all' },
  { width: 1280, height: 900, colorScheme: 'dark', part: 'colours' },
  { width: 390, height: 844, colorScheme: 'light', part: 'all' },
] as const

export interface Look {
  /** Violations of WCAG, by the window. */
  violations: Record<string, string[]>
  /** Errors of the console, of scripts and of the policy. */
  faults: string[]
  /** By how many pixels it is wider than a window of 360. */
  sideways: number
}

/** Reads a page in light and dark, wide and narrow. */
export async function lookAt({ page, faults, transferred }: Visitor, url: string): Promise<Look & { bytes: number }> {
  await page.goto(url)
  const bytes = await transferred()
  const violations: Look['violations'] = {}
  for (const { width, height, colorScheme, part } of WINDOWS) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    const found = await violationsOf(page, part)
    if (found.length > 0) violations[`${width} ${colorScheme}`] = found
  }
  await page.setViewportSize({ width: 360, height: 740 })
  return { violations, faults: faults(), sideways: await sidewaysPixels(page), bytes }
}
