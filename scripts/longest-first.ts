// A file that takes long and begins last is waited for alone: those that are known to take long begin first.
import { type TestSpecification, BaseSequencer } from 'vitest/node'

const LONG = /\.slow\.test|postgres-contract|isolation-postgres|rate-limit|list-plans|plans-postgres|faults|d1\.test/

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
