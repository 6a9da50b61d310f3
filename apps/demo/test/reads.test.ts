import { openApp } from './app.ts'
import { describeEveryList } from './reads.ts'

describeEveryList(openApp)
