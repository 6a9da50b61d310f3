// Vitest passes a run in which one of several projects matched no file, and one in which tests were skipped. Both
// look like success and prove nothing, so a whole run (no file or test name asked for) fails on either.
import type { Reporter, TestModule, Vitest } from 'vitest/node'

/** A vitest reporter that fails a whole run when a project matched no test, or when a test was left out. */
export function everyProjectRan(): Reporter {
  let vitest: Vitest
  let whole = true
  return {
    onInit(started) {
      vitest = started
    },
    async onTestRunStart(specifications) {
      const all = await vitest.globTestSpecifications()
      whole = specifications.length === all.length && vitest.config.testNamePattern === undefined
    },
    onTestRunEnd(modules) {
      if (!whole || vitest.config.watch) return
      for (const fault of faults(
        vitest.projects.map((project) => project.name),
        modules,
      )) {
        vitest.logger.error(fault)
        process.exitCode = 1
      }
    },
  }
}

function faults(projects: readonly string[], modules: readonly TestModule[]): string[] {
  const empty = projects.filter((name) => {
    const own = modules.filter((module) => module.project.name === name)
    return own.every((module) => module.children.allTests().next().done === true)
  })
  const skipped = modules.flatMap((module) =>
    [...module.children.allTests('skipped')].map((test) => `${module.project.name}: ${test.fullName}`),
  )
  return [
    ...empty.map((name) => `The project ${name} ran no test: a run that proves nothing about it must not pass.`),
    ...skipped.map((name) => `Skipped: ${name}. A test is run, or it is not there.`),
  ]
}
