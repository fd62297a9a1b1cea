#!/bin/bash
# Explores overlays for some networks as a job array: every task looks at its part of the shapes, and a last job joins the parts.
#
#   samples/slurm/explore.sh OUTPUT.csv PARTS [arguments of cnnc explore, for example net.cnn --elements 6084]
#
# CNNC is how cnnc is started (default: cnnc); SBATCH_* variables set partition, account, time and so on. The parts lie in OUTPUT.csv.parts. Waits until all is done.
set -euo pipefail
if [ $# -lt 3 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 OUTPUT.csv PARTS ARGUMENTS-OF-CNNC-EXPLORE..." >&2
  exit 2
fi

output=$(realpath -m "$1")
parts=$2
shift 2
folder=$output.parts
mkdir -p "$folder"
rm -f "$output"
printf -v arguments '%q ' "$@"
cnnc=${CNNC:-cnnc}

array=$(sbatch --parsable --job-name=cnnc-explore --array="1-$parts" --cpus-per-task="${CNNC_CPUS:-1}" --chdir="$PWD" --output="$folder/%a.log" <<TASK
#!/bin/bash
set -euo pipefail
$cnnc explore $arguments --shard "\$SLURM_ARRAY_TASK_ID/$parts" > "$folder/\$SLURM_ARRAY_TASK_ID.part"
mv "$folder/\$SLURM_ARRAY_TASK_ID.part" "$folder/\$SLURM_ARRAY_TASK_ID.csv"
TASK
)

# joins only if every part succeeded
sbatch --wait --kill-on-invalid-dep=yes --job-name=cnnc-merge --dependency="afterok:$array" --chdir="$PWD" --output="$folder/merge.log" <<MERGE
#!/bin/bash
set -euo pipefail
cd $(printf '%q' "$folder")
$cnnc explore --merge $(seq -f '%g.csv' -s ' ' "$parts") > merged.part
mv merged.part $(printf '%q' "$output")
MERGE

# a job that was cancelled for its dependency leaves sbatch --wait with 0
if [ ! -f "$output" ]; then
  echo "$0: a part failed, see $folder/*.log" >&2
  exit 1
fi
