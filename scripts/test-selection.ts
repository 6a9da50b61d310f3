import { globSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/** What a package has beside the quick tests on Node alone; see vitest.config.ts. */
const KINDS = ['slow', 'on Postgres', 'in workerd'] as const

/** The arguments with which vitest runs what is quick on Node alone, of every package. */
export const quickArguments = KINDS.flatMap((kind) => ['--project', `!* ${kind}`])

/** The same for all that {@link quickArguments} leaves out. */
export const otherArguments = KINDS.flatMap((kind) => ['--project', `* ${kind}`])

/**
 * The arguments with which vitest runs the named packages, files and patterns; or what is wrong with a name.
 *
 * A package stands for its folder's name, or that with `@keepsend/`; `slow`, `on Postgres` and `in workerd` behind it name
 * the rest of its tests. Anything else is a part of a test file's path.
 *
 * @param names at least one, or all tests are meant
 * @param options `all`: everything of the packages, slow tests and those on Postgres and in workerd too
 */
export function vitestArguments(
  names: readonly string[],
  options: { all?: boolean | undefined } = {},
): string[] | string {
  const packages = globSync('{packages,apps}/*/package.json').map((file) => basename(dirname(file)))
  // The stories of the demo run with the examples: see vitest.config.ts.
  const files = globSync('{{packages,apps}/*/{src,test}/**,test}/*.test.ts').filter(
    (file) => !file.startsWith('apps/demo/test/story'),
  )
  const projects: string[] = []
  const patterns: string[] = []
  for (const name of names) {
    const project = name
      .replace(/^@keepsend\//, '')
      .replace(/\/$/, '')
      .replace(/^(packages|apps)\/(?=[^/]+$)/, '')
    const [owner = ''] = project.split(' ')
    if (project === 'tooling') projects.push(project)
    else if (packages.includes(project)) {
      // Vitest passes over a project of these that is not there. A package may have tests in workerd alone.
      const isAlone = files.some((file) => file.includes(`/${project}/`) && !file.includes('/test/workerd/'))
      const kinds = options.all ? KINDS : isAlone ? [] : (['in workerd'] as const)
      projects.push(project, ...kinds.map((kind) => `${project} ${kind}`))
    } else if (packages.includes(owner) && KINDS.some((kind) => project === `${owner} ${kind}`)) projects.push(project)
    else if (files.some((file) => file.includes(name.replace(/^\.\//, '')))) patterns.push(name.replace(/^\.\//, ''))
    else {
      return `No package and no test file is called ${name}. The packages are ${packages.join(', ')} and tooling (behind one: ${KINDS.map((kind) => `"${kind}"`).join(', ')}); anything else must be a part of a test file's path.`
    }
  }
  return [...projects.flatMap((project) => ['--project', project]), ...patterns]
}
