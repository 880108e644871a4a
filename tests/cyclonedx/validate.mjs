// usage: node validate.mjs [--expect-invalid] FILE...
// Holds documents to the strict JSON schema of CycloneDX 1.6. Run it through `validate`, which puts the packages beside it.
import { readFile } from 'node:fs/promises';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';

const expectInvalid = process.argv[2] === '--expect-invalid';
const files = process.argv.slice(expectInvalid ? 3 : 2);
const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);

let failed = files.length === 0;
for (const file of files) {
  const problems = await validator.validate(await readFile(file, 'utf8'));
  if ((problems === null) === expectInvalid) {
    failed = true;
    console.error(`${file}: ${expectInvalid ? 'accepted' : JSON.stringify(problems, null, 1).slice(0, 4000)}`);
  }
}
console.log(`${files.length} documents ${expectInvalid ? 'refused' : 'valid'}: ${failed ? 'no' : 'yes'}`);
process.exit(failed ? 1 : 0);
