import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** A folder of a package's `src/lib`, or a file that lies flat in it. */
type Place = string

/** Which place of a package imports which, with how many imports; type imports count. */
export function importsBetween(packageName: string): Map<Place, Map<Place, number>> {
  const lib = `packages/${packageName}/src/lib`
  const imports = new Map<Place, Map<Place, number>>()
  for (const file of sourcesOf(packageName)) {
    const from = placeOf(relative(lib, file))
    const to = imports.get(from) ?? new Map<Place, number>()
    imports.set(from, to)
    for (const imported of importedBy(file)) {
      const place = placeOf(relative(lib, imported))
      if (place !== from) to.set(place, (to.get(place) ?? 0) + 1)
    }
  }
  return imports
}

/** The files of a package that import each other in a circle, each circle once. */
export function cyclesOf(packageName: string): string[][] {
  return cyclesIn(new Map(sourcesOf(packageName).map((file) => [file, importedBy(file)])))
}

/** The nodes of each circle of a graph (Tarjan's strongly connected components of more than one node). */
export function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const indices = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []

  function visit(node: string): number {
    const index = indices.size
    indices.set(node, index)
    let low = index
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!indices.has(next)) low = Math.min(low, visit(next))
      else if (stack.includes(next)) low = Math.min(low, indices.get(next) ?? low)
    }
    lowest.set(node, low)
    if (low === index) {
      const members = stack.splice(stack.indexOf(node))
      if (members.length > 1) cycles.push(members.sort())
    }
    return low
  }

  for (const node of graph.keys()) if (!indices.has(node)) visit(node)
  return cycles
}

/** The contract suites import the public entries, as their users do. */
function sourcesOf(packageName: string): string[] {
  return globSync(`packages/${packageName}/src/lib/**/*.{ts,tsx}`)
    .filter((file) => !file.endsWith('.test.ts') && !file.includes('/contract/'))
    .sort()
}

function importedBy(file: string): string[] {
  const specifiers = readFileSync(file, 'utf8').matchAll(/\b(?:from|import)\s*\(?'(\.{1,2}\/[^']+)'/g)
  return [...specifiers].map(([, specifier = '']) => join(dirname(file), specifier))
}

function placeOf(path: string): Place {
  return path.includes('/') ? `${path.slice(0, path.indexOf('/'))}/` : path
}
